"""A directory of installed programs as one archive: of a directory, a remote worker would get each file."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load(":python_interpreter.bzl", "ISOLATED_FLAGS", "interpreter_attr", "python_interpreter")

PACKING_ATTRS = {
    "_packing_python": interpreter_attr("exec"),
    "_packing_tool": attr.label(
        default = Label("//realservices:template.zip"),
        cfg = "exec",
        allow_single_file = True,
    ),
    "_remote": attr.label(
        default = Label("//rules:remote"),
        providers = [BuildSettingInfo],
    ),
}

def is_remote(ctx):
    """Whether tests run on remote workers.

    Args:
      ctx: context of a rule with `PACKING_ATTRS`.
    """
    return ctx.attr._remote[BuildSettingInfo].value

def path_in_archive(directory):
    """Returns the path of a directory in the archive that `packed_directory` makes of it.

    Args:
      directory: File.
    """
    return directory.path[len(_root(directory)) + 1:] if _root(directory) else directory.path

def _root(directory):
    return "/".join([part for part in [directory.root.path, directory.owner.workspace_root] if part])

def packed_directory(ctx, directory, contents):
    """Declares the archive.

    Args:
      ctx: context of a rule with `PACKING_ATTRS`.
      directory: File; paths in the archive start from the root of its repository.
      contents: depset of File: what is in it, and what its programs load from elsewhere.

    Returns:
      struct: `archive`, File; `info`, File of the JSON that describes it.
    """
    python = python_interpreter(ctx.attr._packing_python)
    archive = ctx.actions.declare_file(ctx.label.name + ".programs.tar")
    info = ctx.actions.declare_file(ctx.label.name + ".programs.json")
    options = ctx.actions.args()
    options.add_all(ISOLATED_FLAGS)
    options.add(ctx.file._packing_tool)
    options.add_all(["build", "postgres", "programs"])
    options.add("--root", _root(directory) or ".")
    options.add("--output", archive)
    options.add("--info", info)
    paths = ctx.actions.args()
    paths.set_param_file_format("multiline")
    paths.use_param_file("@%s", use_always = True)
    paths.add_all(contents, expand_directories = False)
    ctx.actions.run(
        executable = python.executable,
        arguments = [options, paths],
        env = {},
        inputs = depset([ctx.file._packing_tool], transitive = [contents]),
        tools = [python.files],
        outputs = [archive, info],
        mnemonic = "RealservicesPrograms",
        progress_message = "Packing %{label}",
        toolchain = None,
    )
    return struct(archive = archive, info = info)
