"""The build action that makes a PostgreSQL data directory with schema and data, as one archive.

Its inputs are the SQL files, the migrators, the server and the tool, nothing else: changing one migration rebuilds one
template.
"""

load(":migrate.bzl", "MIGRATE_ATTRS", "migration")
load(":template_action.bzl", "TEMPLATE_TOOL_ATTRS", "named_path", "template_action", "template_args")

TEMPLATE_ATTRS = TEMPLATE_TOOL_ATTRS | MIGRATE_ATTRS | {
    "extensions": attr.string_list(
        doc = "Extensions to create before the first migration; the distribution must have them.",
    ),
    "migrations": attr.label_list(
        doc = "SQL files that make the schema, applied in this order; `glob` sorts by name.",
        allow_files = True,
    ),
    "seeds": attr.label_list(
        doc = "SQL files that put data in, applied in this order after all migrations.",
        allow_files = True,
    ),
    "user": attr.string(
        doc = "Name of the superuser that programs connect as.",
        default = "test",
    ),
}

def postgres_template(ctx, distribution, contents):
    """Declares the action.

    Args:
      ctx: context of a rule with `TEMPLATE_ATTRS` and `settings`.
      distribution: File, the directory of the server.
      contents: depset of File: what is in it, and what its programs load from elsewhere.

    Returns:
      struct: `archive`, File of the packed data directory; `info`, File of the JSON that describes it.
    """
    args = template_args(ctx, "template")
    args.add("--distribution", distribution.path)
    args.add_all(ctx.files.migrations, before_each = "--migration", map_each = named_path)
    args.add_all(ctx.attr.extensions, before_each = "--extension")
    return template_action(
        ctx,
        args,
        inputs = ctx.files.migrations,
        contents = contents,
        migration = migration(ctx, "postgres"),
        mnemonic = "RealservicesPostgresTemplate",
        what = "PostgreSQL",
    )
