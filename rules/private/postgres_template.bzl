"""The build action that makes a PostgreSQL data directory with schema and data, as one archive.

Its inputs are the SQL files, the migrators, the server and the tool, nothing else: changing one migration rebuilds one
template.
"""

load(":layers.bzl", "layers")
load(":migrate.bzl", "MIGRATE_ATTRS", "NO_MIGRATION", "migration")
load(":postgres_base.bzl", "BASE_ATTRS", "PostgresTemplateInfo", "checked_base", "made_with")
load(":template_action.bzl", "TEMPLATE_TOOL_ATTRS", "named_path", "template_action", "template_args")

TEMPLATE_ATTRS = TEMPLATE_TOOL_ATTRS | MIGRATE_ATTRS | BASE_ATTRS | {
    "extensions": attr.string_list(
        doc = "Extensions to create before the first migration; the distribution must have them.",
    ),
    "data": attr.label_list(
        doc = "Files that migrations and seeds include: by psql's `\\ir`, `\\i` or `\\copy`. They are inputs of the build action.",
        allow_files = True,
    ),
    "layout": attr.string(
        doc = "The tool that the migrations are written for. What it would apply is applied, in its order: of a file with a " +
              "part that undoes it, the other part. `plain`: files whole, in the order of `migrations`, even if they look like " +
              "a tool's.",
    ),
    "locale": attr.string(
        doc = "Locale of the databases, as production's: `en_US.UTF-8` of the C library, or `en-US` with `locale_provider = \"icu\"`. " +
              "Empty: sorted by code point, with the letters of Unicode.",
    ),
    "locale_provider": attr.string(
        doc = "Where the locale is from, as initdb's option: `libc` (the default with a locale), `icu` (PostgreSQL 15) or `builtin` (17).",
        values = ["", "builtin", "icu", "libc"],
    ),
    "migrations": attr.label_list(
        doc = "SQL files that make the schema, applied in this order; `glob` sorts by name. With a `layout`: the tool's files.",
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

def postgres_template(ctx, kind, distribution, contents):
    """Declares the action.

    Args:
      ctx: context of a rule with `TEMPLATE_ATTRS`, `settings` and `distribution`.
      kind: what `kind_info` returns.
      distribution: File, the directory of the server.
      contents: depset of File: what is in it, and what its programs load from elsewhere.

    Returns:
      PostgresTemplateInfo.
    """
    base = checked_base(ctx)
    applied = []
    parts = layers(ctx.attr.layout, ctx.files.migrations)
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        args = template_args(ctx, kind)
        args.add("--distribution", distribution.path)
        if ctx.attr.layout:
            args.add("--layout", ctx.attr.layout)
        args.add_all(_base_options(base))
        args.add("--form", "whole" if part.is_whole or not base else "part")

        # Their names are looked at, for the order. As inputs they would let a comment in the first file rebuild all.
        args.add_all(applied, before_each = "--applied", map_each = named_path)
        args.add_all(part.files, before_each = "--migration", map_each = named_path)
        args.add_all(ctx.attr.extensions, before_each = "--extension")
        if ctx.attr.locale:
            args.add("--locale", ctx.attr.locale)
        if ctx.attr.locale_provider:
            args.add("--locale-provider", ctx.attr.locale_provider)
        made = template_action(
            ctx,
            args,
            name = ctx.label.name if is_last else "%s.%d" % (ctx.label.name, len(applied) + len(part.files)),
            seeds = ctx.files.seeds if is_last else [],
            inputs = part.files + ctx.files.data + _base_files(base),
            contents = contents,
            # They are run when all migrations have been.
            migration = migration(ctx, kind) if is_last else NO_MIGRATION,
            mnemonic = "RealservicesPostgresTemplate",
            what = "PostgreSQL",
            files = _shown_files(len(applied), len(part.files), len(ctx.files.migrations)),
        )
        base = PostgresTemplateInfo(
            archive = made.archive,
            info = made.info,
            whole = (base.whole or base.archive) if base and not part.is_whole else None,
            made_with = made_with(ctx),
        )
        applied = applied + part.files
    return base

def _base_options(base):
    if not base:
        return []
    whole = ["--base-whole", base.whole] if base.whole else []
    return ["--base", base.archive, "--base-info", base.info] + whole

def _base_files(base):
    return [file for file in [base.archive, base.info, base.whole] if file] if base else []

def _shown_files(applied, count, total):
    if count == total:
        return "%d migration%s" % (count, "" if count == 1 else "s")
    return "migrations %d to %d of %d" % (applied + 1, applied + count, total)
