"""A directory of installed programs as one archive: of a directory, a remote worker would get each file."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load(":template_action.bzl", "TOOL_ATTRS", "tool_action")

PACKING_ATTRS = TOOL_ATTRS | {
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

def output_group(target, name):
    """Returns the files of an output group of a target's, or None.

    Args:
      target: a Target.
      name: of the group.

    Returns:
      depset of File, or None.
    """
    return getattr(target[OutputGroupInfo], name, None) if OutputGroupInfo in target else None

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
    options = ctx.actions.args()
    options.add_all(["build", "postgres", "programs"])
    options.add("--root", _root(directory) or ".")
    paths = ctx.actions.args()
    paths.set_param_file_format("multiline")
    paths.use_param_file("@%s", use_always = True)
    paths.add_all(contents, expand_directories = False)
    return tool_action(
        ctx,
        [options, paths],
        name = ctx.label.name + ".programs",
        inputs = contents,
        mnemonic = "RealservicesPrograms",
        progress_message = "Packing %{label}",
    )
