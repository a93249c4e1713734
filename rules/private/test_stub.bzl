"""The executable of a `real_service_test` or a `service_group`: a few lines of sh that start the launcher with its manifest."""

load(":labels.bzl", "runfiles_path")
load(":python_interpreter.bzl", "ISOLATED_FLAGS", "interpreter_attr", "python_interpreter")

STUB_ATTRS = {
    "_launcher": attr.label(
        default = "//realservices:realservices.zip",
        allow_single_file = True,
    ),
    "_python": interpreter_attr("target"),
    "_stub": attr.label(
        default = ":test_stub.sh",
        allow_single_file = True,
    ),
}

def test_stub(ctx, manifest):
    """Declares the executable of the current target.

    Args:
      ctx: context of a rule with `STUB_ATTRS`.
      manifest: File for the launcher.

    Returns:
      struct: `executable`, a File; `runfiles`, what it needs to start the launcher.
    """
    python = python_interpreter(ctx.attr._python)
    stub = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.expand_template(
        template = ctx.file._stub,
        output = stub,
        is_executable = True,
        substitutions = {
            "%archive%": runfiles_path(ctx.workspace_name, ctx.file._launcher),
            "%flags%": " ".join(ISOLATED_FLAGS),
            "%interpreter%": "$runfiles/" + runfiles_path(ctx.workspace_name, python.file) if python.file else python.path,
            "%manifest%": runfiles_path(ctx.workspace_name, manifest),
        },
    )
    return struct(
        executable = stub,
        runfiles = ctx.runfiles(files = [manifest, ctx.file._launcher], transitive_files = python.files),
    )
