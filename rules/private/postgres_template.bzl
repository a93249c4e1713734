"""The build action that makes a PostgreSQL data directory with schema and data, as one archive.

Its inputs are the SQL files, the server and the tool, nothing else: changing one migration rebuilds one template.
"""

load(":labels.bzl", "label_text")
load(":python_interpreter.bzl", "ISOLATED_FLAGS", "interpreter_attr", "python_interpreter")

TEMPLATE_ATTRS = {
    "database": attr.string(
        doc = "Name of the database that programs are given.",
        default = "test",
    ),
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
    "_python": interpreter_attr("exec"),
    "_template_tool": attr.label(
        default = "//realservices:template.zip",
        cfg = "exec",
        allow_single_file = True,
    ),
}

def _named_path(file):
    # The name is what a failing migration is reported under: the path in the workspace, not the one in the sandbox.
    return "%s=%s" % (file.short_path, file.path)

def postgres_template(ctx, distribution, contents):
    """Declares the action.

    Args:
      ctx: context of a rule with `TEMPLATE_ATTRS` and `settings`.
      distribution: File, the directory of the server.
      contents: depset of File: what is in it, and what its programs load from elsewhere.

    Returns:
      struct: `archive`, File of the packed data directory; `info`, File of the JSON that describes it.
    """
    python = python_interpreter(ctx.attr._python)
    archive = ctx.actions.declare_file(ctx.label.name + ".tar")
    info = ctx.actions.declare_file(ctx.label.name + ".json")

    args = ctx.actions.args()
    args.add_all(ISOLATED_FLAGS)
    args.add(ctx.file._template_tool)
    args.add("template")
    args.add("--distribution", distribution.path)
    args.add("--database", ctx.attr.database)
    args.add("--user", ctx.attr.user)
    args.add_all(ctx.files.migrations, before_each = "--migration", map_each = _named_path)
    args.add_all(ctx.files.seeds, before_each = "--seed", map_each = _named_path)
    args.add_all(ctx.attr.extensions, before_each = "--extension")
    args.add_all(["%s=%s" % item for item in ctx.attr.settings.items()], before_each = "--setting")
    args.add("--label", label_text(ctx.label))
    args.add("--output", archive)
    args.add("--info", info)

    ctx.actions.run(
        executable = python.executable,
        arguments = [args],
        # Nothing of the user's shell, so that the same inputs give the same template everywhere.
        env = {},
        inputs = depset(
            [ctx.file._template_tool] + ctx.files.migrations + ctx.files.seeds,
            transitive = [contents],
        ),
        tools = python.files,
        outputs = [archive, info],
        mnemonic = "RealservicesPostgresTemplate",
        progress_message = "Building PostgreSQL template %{label}",
    )
    return struct(archive = archive, info = info)
