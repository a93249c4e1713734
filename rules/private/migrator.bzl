"""`migrator`: a program with arguments, for the attribute `migrate` of a service."""

load(":kinds.bzl", "FIELDS", "kind_info")
load(":labels.bzl", "label_text")
load(":migrate_references.bzl", "migrate_text")
load(":misuse.bzl", "misuse")

MigratorInfo = provider(
    doc = "A program that makes a schema.",
    fields = {
        "args": "list of lists: its arguments, each as of `migrate_text`.",
        "env": "dict: the environment that its own rule gives it.",
        "files": "depset of File: what it reads.",
        "program": "FilesToRunProvider.",
    },
)

# Which one it is for is known where it is used.
_ANY_KIND = kind_info(name = "any", fields = FIELDS)

def program_of(label, attribute, target):
    """Returns what runs a target.

    Args:
      label: Label of the target to blame.
      attribute: its attribute that names the program.
      target: the program.

    Returns:
      FilesToRunProvider.
    """
    program = target[DefaultInfo].files_to_run
    if not program or not program.executable:
        misuse(label, attribute, "%s is not executable" % label_text(target.label), "a migrator, a binary or an executable file")
    return program

def environment_of(target):
    """Returns the environment that a program's own rule gives it.

    Args:
      target: the program.

    Returns:
      dict.
    """
    return dict(target[RunEnvironmentInfo].environment) if RunEnvironmentInfo in target else {}

def files_of(targets):
    """Returns all that a migrator can read of some targets.

    Args:
      targets: list of Target.

    Returns:
      depset of File.
    """
    return depset(transitive = [files for target in targets for files in [
        target[DefaultInfo].files,
        target[DefaultInfo].default_runfiles.files,
    ]])

def _migrator_impl(ctx):
    targets = ctx.attr.data + [ctx.attr.binary]
    program = program_of(ctx.label, "binary", ctx.attr.binary)
    return [
        DefaultInfo(files = depset([program.executable])),
        MigratorInfo(
            args = [
                migrate_text(
                    ctx,
                    "args",
                    "",
                    arg,
                    is_public = True,
                    kind = _ANY_KIND,
                    ports = ["http", "tcp"],
                    targets = targets,
                )
                for arg in ctx.attr.args
            ],
            env = environment_of(ctx.attr.binary),
            files = files_of(ctx.attr.data),
            program = program,
        ),
    ]

migrator = rule(
    implementation = _migrator_impl,
    doc = """A program with arguments that makes a schema, for the attribute `migrate` of a service.

```python
migrator(
    name = "dbmate_up",
    args = ["--migrations-dir", "db/migrations", "--no-dump-schema", "up"],
    binary = "@dbmate//:dbmate",
    data = glob(["db/migrations/*.sql"]),
)

postgres_service(name = "db", migrate = [":dbmate_up"])
```

A program that needs no arguments can stand in `migrate` itself.
""",
    attrs = {
        "args": attr.string_list(
            doc = "Its arguments, with `$(host)`, `$(port)`, `$(user)`, `$(database)` and `$(socket)` of the server, and " +
                  "`$(rootpath :file)` for the absolute path of a file in `data`. Every user of the machine can read " +
                  "them: a password belongs into `migrate_env` of the service.",
        ),
        "binary": attr.label(
            doc = "Any executable target.",
            allow_files = True,
            cfg = "target",  # Already that of build actions: it is reached through `migrate`.
            mandatory = True,
        ),
        "data": attr.label_list(
            doc = "Files that it reads. They stand in its working directory as they do in the workspace.",
            allow_files = True,
        ),
    },
    provides = [MigratorInfo],
)
