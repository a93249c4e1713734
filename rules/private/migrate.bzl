"""The attributes `migrate…` of services whose schema a program of the project makes, while the template is built."""

load(":env.bzl", "RESERVED_TEXT", "is_reserved")
load(":labels.bzl", "label_text", "runfiles_path")
load(":migrate_references.bzl", "migrate_text", "refuse_unknown_fields")
load(":migrator.bzl", "MigratorInfo", "environment_of", "files_of", "program_of")
load(":misuse.bzl", "misuse")

MIGRATE_ATTRS = {
    "migrate": attr.label_list(
        doc = "Programs that make the schema, in any language, run in this order on the template's server, before `seeds`: " +
              "executable targets, or `migrator`s, which add arguments. They find the server by the same variables as tests do.",
        allow_files = True,
        cfg = "exec",
    ),
    "migrate_data": attr.label_list(
        doc = "Files that the programs in `migrate` read, or that `migrate_env` refers to. They lie in the programs' working directory.",
        allow_files = True,
        cfg = "exec",
    ),
    "migrate_env": attr.string_dict(
        doc = "Environment of the programs in `migrate`, beside PATH, HOME and the server's address. `$(url)`, `$(host)`, `$(port)`, `$(user)`, " +
              "`$(password)` and `$(database)` are the template server's; `$(rootpath :file)` is the absolute path of a " +
              "file in `migrate_data`.",
    ),
    "migrate_timeout_s": attr.int(
        doc = "Seconds that each program in `migrate` may take. After that it is ended and the build fails.",
        default = 300,
    ),
}

NO_MIGRATION = struct(args = [], inputs = [], tools = [])

# What rules of other languages want to be told in a build action, BAZEL_BINDIR for instance.
_BAZELS = "BAZEL_"

def _check(ctx):
    if ctx.attr.migrate_timeout_s < 1:
        misuse(ctx.label, "migrate_timeout_s", repr(ctx.attr.migrate_timeout_s), "seconds, at least 1")
    for attribute in ["migrate_env", "migrate_data"]:
        if getattr(ctx.attr, attribute) and not ctx.attr.migrate:
            misuse(ctx.label, attribute, "set, but there is nothing in 'migrate' to read it", "it together with 'migrate'")
    for name in ctx.attr.migrate_env:
        if not name or "=" in name:
            misuse(ctx.label, "migrate_env", repr(name), "names without '='")
        if is_reserved(name) and not name.startswith(_BAZELS):
            misuse(ctx.label, "migrate_env", repr(name), RESERVED_TEXT)

def _migrator(ctx, target, kind, ports):
    if MigratorInfo not in target:
        return MigratorInfo(
            args = [],
            env = environment_of(target),
            files = depset(),
            program = program_of(ctx.label, "migrate", target),
        )
    info = target[MigratorInfo]
    for arg in info.args:
        refuse_unknown_fields(ctx.label, "migrate", label_text(target.label), arg, kind, ports)
    return info

def migration(ctx, kind, ports = []):
    """Checks the attributes and describes what runs, see realservices/services/migrator_runs.py.

    Args:
      ctx: context of a rule with `MIGRATE_ATTRS`.
      kind: what `kind_info` returns: of the service.
      ports: names of its ports, where it has several.

    Returns:
      struct: `args`, list of what the template tool is told; `inputs`, list of depset of File; `tools`, list of
      FilesToRunProvider.
    """
    _check(ctx)
    if not ctx.attr.migrate:
        return NO_MIGRATION
    common = files_of(ctx.attr.migrate_data)
    found = [(label_text(target.label), _migrator(ctx, target, kind, ports)) for target in ctx.attr.migrate]
    spec = {
        "env": {
            name: migrate_text(
                ctx,
                "migrate_env",
                "%s = " % name,
                value,
                kind = kind,
                ports = ports,
                targets = ctx.attr.migrate_data,
            )
            for name, value in ctx.attr.migrate_env.items()
        },
        "migrators": [
            {
                "args": each.args,
                "cwd": ctx.workspace_name,
                "env": each.env,
                "files": {
                    runfiles_path(ctx.workspace_name, file): file.path
                    for file in depset(transitive = [common, each.files]).to_list()
                },
                "name": name,
                "program": each.program.executable.path,
            }
            for name, each in found
        ],
        "timeout_s": ctx.attr.migrate_timeout_s,
    }

    # An argument may not be as long as the names of many files.
    described = ctx.actions.declare_file(ctx.label.name + ".migrate.json")
    ctx.actions.write(described, json.encode(spec))
    return struct(
        args = ["--migrate", described.path],
        inputs = [depset([described]), common] + [each.files for _, each in found],
        tools = [each.program for _, each in found],
    )
