"""The executable of a `real_service_test` or a `service_group`: a few lines of sh that start the launcher with its manifest."""

load(":labels.bzl", "runfiles_path")
load(":launch_support.bzl", "LaunchInfo")

STUB_ATTRS = {
    "_launch": attr.label(
        default = ":launch_support",
        providers = [LaunchInfo],
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
    launch = ctx.attr._launch[LaunchInfo]
    stub = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.expand_template(
        template = launch.stub,
        output = stub,
        is_executable = True,
        substitutions = launch.substitutions | {"%manifest%": runfiles_path(ctx.workspace_name, manifest)},
    )
    return struct(executable = stub, runfiles = ctx.runfiles(files = [manifest]).merge(launch.runfiles))
