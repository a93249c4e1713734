"""The build action that makes a ClickHouse data directory with schema and rows, as one archive.

Its inputs are the SQL files, the migrators, the server and the tool, nothing else: changing one schema file rebuilds one
template.
"""

load(":migrate.bzl", "MIGRATE_ATTRS", "migration")
load(":template_action.bzl", "TEMPLATE_TOOL_ATTRS", "named_path", "template_action", "template_args")

CLICKHOUSE_TEMPLATE_ATTRS = TEMPLATE_TOOL_ATTRS | MIGRATE_ATTRS | {
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
}

def clickhouse_template(ctx, kind, server):
    """Declares the action.

    Args:
      ctx: context of a rule with `CLICKHOUSE_TEMPLATE_ATTRS`, `settings` and `server_settings`.
      kind: what `kind_info` returns.
      server: File, the engine.

    Returns:
      struct: `archive`, File of the packed data directory; `info`, File of the JSON that describes it.
    """
    args = template_args(ctx, kind)
    args.add("--server", server)
    args.add_all(ctx.files.schema, before_each = "--schema", map_each = named_path)
    args.add_all(["%s=%s" % item for item in ctx.attr.server_settings.items()], before_each = "--server-setting")
    return template_action(
        ctx,
        args,
        name = ctx.label.name,
        seeds = ctx.files.seeds,
        inputs = [server] + ctx.files.schema,
        contents = ctx.attr.server[DefaultInfo].default_runfiles.files,
        migration = migration(ctx, kind, ["http", "tcp"]),
        mnemonic = "RealservicesClickHouseTemplate",
        what = "ClickHouse",
        files = "%d files" % len(ctx.files.schema),
    )
