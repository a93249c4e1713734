"""The build action that makes a ClickHouse data directory with schema and rows, as one archive.

Its inputs are the SQL files, the server and the tool, nothing else: changing one schema file rebuilds one template.
"""

load(":labels.bzl", "label_text")
load(":python_interpreter.bzl", "ISOLATED_FLAGS", "interpreter_attr", "python_interpreter")

CLICKHOUSE_TEMPLATE_ATTRS = {
    "database": attr.string(
        doc = "Name of the database that programs are given.",
        default = "test",
    ),
    "schema": attr.label_list(
        doc = "SQL files that make tables, views and dictionaries, applied in this order; `glob` sorts by name. " +
              "Names in them must not be qualified with the database, so that a test can have the same in another one.",
        allow_files = True,
    ),
    "seeds": attr.label_list(
        doc = "SQL files that put rows in, applied in this order after the schema.",
        allow_files = True,
    ),
    "user": attr.string(
        doc = "Name of the user that programs connect as. It may do everything.",
        default = "test",
    ),
    "_python": interpreter_attr("exec"),
    "_template_tool": attr.label(
        default = "//realservices:template.zip",
        cfg = "exec",
        allow_single_file = True,
    ),
}

def _named_path(file):
    # The name is what a refused statement is reported under: the path in the workspace, not the one in the sandbox.
    return "%s=%s" % (file.short_path, file.path)

def clickhouse_template(ctx, server):
    """Declares the action.

    Args:
      ctx: context of a rule with `CLICKHOUSE_TEMPLATE_ATTRS`, `settings` and `server_settings`.
      server: File, the engine.

    Returns:
      struct: `archive`, File of the packed data directory; `info`, File of the JSON that describes it.
    """
    python = python_interpreter(ctx.attr._python)
    archive = ctx.actions.declare_file(ctx.label.name + ".tar")
    info = ctx.actions.declare_file(ctx.label.name + ".json")

    args = ctx.actions.args()
    args.add_all(ISOLATED_FLAGS)
    args.add(ctx.file._template_tool)
    args.add("clickhouse-template")
    args.add("--server", server)
    args.add("--database", ctx.attr.database)
    args.add("--user", ctx.attr.user)
    args.add_all(ctx.files.schema, before_each = "--schema", map_each = _named_path)
    args.add_all(ctx.files.seeds, before_each = "--seed", map_each = _named_path)
    args.add_all(["%s=%s" % item for item in ctx.attr.settings.items()], before_each = "--setting")
    args.add_all(["%s=%s" % item for item in ctx.attr.server_settings.items()], before_each = "--server-setting")
    args.add("--label", label_text(ctx.label))
    args.add("--output", archive)
    args.add("--info", info)

    ctx.actions.run(
        executable = python.executable,
        arguments = [args],
        # Nothing of the user's shell, so that the same inputs give the same template everywhere.
        env = {},
        inputs = depset(
            [ctx.file._template_tool, server] + ctx.files.schema + ctx.files.seeds,
            transitive = [ctx.attr.server[DefaultInfo].default_runfiles.files],
        ),
        tools = python.files,
        outputs = [archive, info],
        mnemonic = "RealservicesClickHouseTemplate",
        progress_message = "Building ClickHouse template %{label}",
    )
    return struct(archive = archive, info = info)
