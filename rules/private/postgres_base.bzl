"""The template that another one begins from: what a `postgres_service` tells those that name it in `base`."""

load(":labels.bzl", "label_text")
load(":misuse.bzl", "misuse")

PostgresTemplateInfo = provider(
    doc = "The template of a `postgres_service` that others begin from.",
    fields = {
        "archive": "File: its archive.",
        "info": "File: what describes it.",
        "made_with": "dict: what the templates that begin from it must have in common with it, by attribute.",
        "whole": "File: if the archive holds only what differs from another one, that one; else None.",
    },
)

BASE_ATTRS = {
    "base": attr.label(
        doc = "A `postgres_service` whose schema and data, seeds among them, this one begins with; `migrations`, `migrate` and " +
              "`seeds` follow. It is built once, and stored once. Both need the same `database`, `user`, `settings`, `locale` " +
              "and `distribution`.",
    ),
}

_COMMON = ["database", "user", "settings", "locale", "locale_provider"]

def made_with(ctx):
    """Returns what a template and its base must have in common.

    Args:
      ctx: context of a `postgres_service`.
    """
    found = {name: getattr(ctx.attr, name) for name in _COMMON}
    return found | {"distribution": label_text(ctx.attr.distribution.label)}

def checked_base(ctx):
    """Reads the attribute `base`; another service than this one can begin from is wrong use.

    A cycle cannot get here: Bazel refuses one among labels.

    Args:
      ctx: context of a rule with `BASE_ATTRS`.

    Returns:
      PostgresTemplateInfo, or None.
    """
    if not ctx.attr.base:
        return None
    shown = label_text(ctx.attr.base.label)
    if PostgresTemplateInfo not in ctx.attr.base:
        misuse(ctx.label, "base", "%s is not a postgres_service" % shown, "a target of postgres_service")
    base = ctx.attr.base[PostgresTemplateInfo]
    for name, value in made_with(ctx).items():
        if base.made_with[name] != value:
            misuse(
                ctx.label,
                name,
                "%s, but %s, which is its base, has %s" % (_shown(value), shown, _shown(base.made_with[name])),
                "the same as the base's",
            )
    return base

def _shown(value):
    return repr(value)
