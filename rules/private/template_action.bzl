"""What the build actions of all templates share: the tool, the checks of its SQL files, and how it is run."""

load(":labels.bzl", "label_text")
load(":misuse.bzl", "misuse")
load(":python_interpreter.bzl", "ISOLATED_FLAGS", "interpreter_attr", "python_interpreter")

TOOL_ATTRS = {
    "_python": interpreter_attr("exec"),
    "_template_tool": attr.label(
        default = Label("//realservices:template.zip"),
        cfg = "exec",
        allow_single_file = True,
    ),
}

TEMPLATE_TOOL_ATTRS = TOOL_ATTRS | {
    "database": attr.string(
        doc = "Name of the database that programs are given.",
        default = "test",
    ),
}

_SQITCH_PLAN = "sqitch.plan"

def check_scripts(label, attribute, files, layout = ""):
    """Refuses files that the tool cannot apply.

    Args:
      label: Label of the service.
      attribute: the attribute they stand in.
      files: list of File.
      layout: whose files they are.
    """
    for file in files:
        if file.basename == _SQITCH_PLAN and layout != "sqitch" and attribute == "migrations":
            misuse(label, attribute, repr(file.short_path), "it with layout = \"sqitch\"")
        if file.basename == _SQITCH_PLAN and layout == "sqitch":
            continue
        if file.is_directory or file.extension != "sql":
            misuse(label, attribute, repr(file.short_path), "files that end in .sql")

        # The template tool is told NAME=FILE.
        if "=" in file.short_path:
            misuse(label, attribute, repr(file.short_path), "paths without '='")

def named_path(file):
    """Names a file as the tool wants it.

    Args:
      file: File.

    Returns:
      string: what a refused statement is reported under, which is the path in the workspace, and the one in the sandbox.
    """
    return "%s=%s" % (file.short_path, file.path)

def template_args(ctx, kind):
    """Begins the tool's command line.

    Args:
      ctx: context of a rule with `TEMPLATE_TOOL_ATTRS`, `user` and `settings`.
      kind: what `kind_info` returns.

    Returns:
      Args, for the caller to add to.
    """
    args = ctx.actions.args()
    args.add_all(["build", kind.name, "template"])
    args.add("--database", ctx.attr.database)
    args.add("--user", ctx.attr.user)
    args.add_all(["%s=%s" % item for item in ctx.attr.settings.items()], before_each = "--setting")
    args.add("--label", label_text(ctx.label))
    return args

def template_action(ctx, args, *, name, seeds, inputs, contents, migration, mnemonic, what, files):
    """Declares the action.

    Args:
      ctx: as for `template_args`.
      args: the command line.
      name: of the outputs, without endings.
      seeds: list of File, applied last.
      inputs: list of File beside seeds and tool.
      contents: depset of File: the server, and what its programs load.
      migration: as of `migration` in migrate.bzl.
      mnemonic: of the action.
      what: the server's name, for the progress message.
      files: how many files it is made from, in words, likewise.

    Returns:
      struct: `archive`, File of the packed data directory; `info`, File of the JSON that describes it.
    """
    args.add_all(migration.args)
    args.add_all(seeds, before_each = "--seed", map_each = named_path)
    return tool_action(
        ctx,
        [args],
        name = name,
        inputs = depset(inputs + seeds, transitive = [contents] + migration.inputs),
        tools = migration.tools,
        mnemonic = mnemonic,
        progress_message = "Building %s template %%{label} (%s)" % (what, files),
    )

def tool_action(ctx, arguments, *, name, inputs, mnemonic, progress_message, tools = []):
    """Declares an action of the tool that makes an archive.

    Args:
      ctx: context of a rule with `TOOL_ATTRS`.
      arguments: list of Args: the command and its options, except those that say where the outputs go.
      name: of the outputs, without endings.
      inputs: depset of File, beside the tool.
      mnemonic: of the action.
      progress_message: likewise.
      tools: list of depset of File, likewise: programs that it runs.

    Returns:
      struct: `archive`, File of the archive; `info`, File of the JSON that describes it.
    """
    python = python_interpreter(ctx.attr._python)
    archive = ctx.actions.declare_file(name + ".tar")
    info = ctx.actions.declare_file(name + ".json")
    tool = ctx.actions.args()
    tool.add_all(ISOLATED_FLAGS)
    tool.add(ctx.file._template_tool)
    outputs = ctx.actions.args()
    outputs.add("--output", archive)
    outputs.add("--info", info)
    ctx.actions.run(
        executable = python.executable,
        # A file of parameters comes last.
        arguments = [tool, arguments[0], outputs] + arguments[1:],
        # Nothing of the user's shell, so that the same inputs give the same archive everywhere.
        env = {},
        inputs = depset([ctx.file._template_tool], transitive = [inputs]),
        tools = [python.files] + tools,
        outputs = [archive, info],
        mnemonic = mnemonic,
        progress_message = progress_message,
        toolchain = None,
    )
    return struct(archive = archive, info = info)
