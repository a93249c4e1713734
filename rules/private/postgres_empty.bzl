"""The template without a schema that others begin from: what initdb makes is the same for all."""

load(":labels.bzl", "label_text")
load(":packed_directory.bzl", "output_group")
load(":template_action.bzl", "tool_action")

def empty_template(ctx, directory, contents):
    """Declares the action that builds it; it runs only if a template begins from it.

    Args:
      ctx: context of a rule with `TOOL_ATTRS`.
      directory: File, the distribution of PostgreSQL.
      contents: depset of File: what is in it, and what its programs load from elsewhere.

    Returns:
      struct: `archive`, File of the packed data directory; `info`, File of the JSON that describes it.
    """
    args = ctx.actions.args()
    args.add_all(["build", "postgres", "template"])
    args.add("--distribution", directory.path)
    args.add("--label", label_text(ctx.label))
    return tool_action(
        ctx,
        [args],
        name = ctx.label.name + ".empty",
        inputs = contents,
        mnemonic = "RealservicesPostgresEmpty",
        progress_message = "Building an empty PostgreSQL template of %{label}",
    )

def empty_template_of(ctx):
    """Returns the one that a service's template can begin from, or None.

    Args:
      ctx: context of a `postgres_service`.

    Returns:
      struct as of `empty_template`, or None.
    """
    if ctx.attr.locale:
        return None  # Only initdb can set it.
    files = output_group(ctx.attr.distribution, "empty_template")
    if not files:
        return None
    archive, info = files.to_list()
    return struct(archive = archive, info = info)
