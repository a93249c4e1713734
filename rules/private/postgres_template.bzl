"""The build action that makes a PostgreSQL data directory with schema and data, as one archive.

Its inputs are the SQL files, the migrators, what it begins from, the server and the tool, nothing else: changing one
migration rebuilds one template.
"""

load(":layers.bzl", "layers")
load(":migrate.bzl", "MIGRATE_ATTRS", "NO_MIGRATION", "migration")
load(":postgres_base.bzl", "BASE_ATTRS", "PostgresTemplateInfo", "checked_base", "made_with")
load(":postgres_empty.bzl", "empty_template_of")
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
    """Declares the actions.

    Args:
      ctx: context of a rule with `TEMPLATE_ATTRS`, `settings` and `distribution`.
      kind: what `kind_info` returns.
      distribution: File, the directory of the server.
      contents: depset of File: what is in it, and what its programs load from elsewhere.

    Returns:
      struct: `own`, PostgresTemplateInfo of what tests of this service start from; `base`, of what other templates
      begin from.
    """
    server = struct(kind = kind, distribution = distribution, contents = contents)
    base = checked_base(ctx) or _empty_base(ctx)
    parts = layers(ctx.attr.layout, ctx.files.migrations)
    applied = []
    for part in parts[:-1]:
        name = "%s.%d" % (ctx.label.name, len(applied) + len(part.files))
        base = _part(ctx, server, base, applied, part, name = name, is_whole = part.is_whole or not base)
        applied = applied + part.files
    begins_empty = base and not ctx.attr.base and not applied

    # Of what is a part beside the empty one, each that begins from it would store everything again: seeds may be large.
    is_whole = not base or (begins_empty and bool(ctx.files.seeds))
    last = {"migration": migration(ctx, kind), "seeds": ctx.files.seeds}
    own = _part(ctx, server, base, applied, parts[-1], name = ctx.label.name, is_whole = is_whole, **last)
    if is_whole or not begins_empty:
        return struct(own = own, base = own)

    # Built only if another one begins from it.
    whole = _part(ctx, server, base, applied, parts[-1], name = ctx.label.name + ".whole", is_whole = True, **last)
    return struct(own = own, base = whole)

def _part(ctx, server, base, applied, part, *, name, is_whole, migration = NO_MIGRATION, seeds = []):
    """Declares the action that applies some of the migrations.

    Args:
      ctx: as of `postgres_template`.
      server: struct: `kind`, `distribution`, `contents`, likewise.
      base: PostgresTemplateInfo, what it begins from, or None.
      applied: list of File, the migrations that the base has.
      part: struct as of `layers`.
      name: of the outputs, without endings.
      is_whole: whether the archive holds all; else what differs from the whole one that the base is or refers to.
      migration: as of `migration` in migrate.bzl; its programs are run when the part has been applied.
      seeds: list of File, applied last.

    Returns:
      PostgresTemplateInfo.
    """
    args = template_args(ctx, server.kind)
    args.add("--distribution", server.distribution.path)
    if ctx.attr.layout:
        args.add("--layout", ctx.attr.layout)
    args.add_all(_base_options(base))
    args.add("--form", "whole" if is_whole else "part")

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
        name = name,
        seeds = seeds,
        inputs = part.files + ctx.files.data + _base_files(base),
        contents = server.contents,
        migration = migration,
        mnemonic = "RealservicesPostgresTemplate",
        what = "PostgreSQL",
        files = _shown_files(len(applied), len(part.files), len(ctx.files.migrations)),
    )
    return PostgresTemplateInfo(
        archive = made.archive,
        info = made.info,
        whole = None if is_whole else base.whole or base.archive,
        made_with = made_with(ctx),
    )

def _empty_base(ctx):
    empty = empty_template_of(ctx)
    return PostgresTemplateInfo(archive = empty.archive, info = empty.info, whole = None, made_with = None) if empty else None

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
