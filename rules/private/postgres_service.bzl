"""`postgres_service`: a PostgreSQL server of a test's own, with its schema and data built in beforehand."""

load("@rules_python//python:py_info.bzl", "PyInfo")
load("//rules:providers.bzl", "ServiceInfo")
load(":compiled_python.bzl", "compiled_python")
load(":kinds.bzl", "kind_info")
load(":labels.bzl", "runfiles_path")
load(":layouts.bzl", "LAYOUTS")
load(":misuse.bzl", "misuse")
load(":names.bzl", "is_extension_name", "is_locale_name", "is_postgres_name")
load(":owned_settings.bzl", "ACCOUNTS", "ADDRESS", "FILES", "LOG", "PROCESS")
load(":packed_directory.bzl", "PACKING_ATTRS", "is_remote", "output_group", "packed_directory", "path_in_archive")
load(":postgres_template.bzl", "TEMPLATE_ATTRS", "postgres_template")
load(":service.bzl", "SERVICE_ATTRS", "service_info")
load(":settings.bzl", "check_settings")
load(":template_action.bzl", "check_scripts")

# realservices/kinds/postgres/kind.py says the same; a test compares.
POSTGRES = kind_info(
    name = "postgres",
    fields = ["url", "host", "port", "password", "database", "socket", "user"],
    programs = ["pg_dump", "pg_isready", "pg_restore", "pgbench", "psql"],
    url_forms = ["asyncpg", "psycopg", "psycopg_async", "psycopg2", "postgres", "jdbc", "r2dbc", "dsn", "npgsql"],
)
OWNED_SETTINGS = {
    "config_file": FILES,
    "data_directory": FILES,
    "external_pid_file": PROCESS,
    "hba_file": ACCOUNTS,
    "ident_file": ACCOUNTS,
    "listen_addresses": ADDRESS,
    "log_destination": LOG,
    "log_directory": LOG,
    "log_filename": LOG,
    "logging_collector": LOG,
    "port": ADDRESS,
    "unix_socket_directories": ADDRESS,
    "unix_socket_group": ADDRESS,
    "unix_socket_permissions": ADDRESS,
}

# The databases that every cluster has, and the pristine copy that clones are made from.
_TAKEN_DATABASES = ["postgres", "realservices_template", "template0", "template1"]

def _check_names(ctx):
    identifier = "up to 63 lower-case letters, digits and '_', starting with a letter or '_'"
    if not is_postgres_name(ctx.attr.database) or ctx.attr.database in _TAKEN_DATABASES:
        misuse(ctx.label, "database", repr(ctx.attr.database), identifier + "; not " + ", ".join(_TAKEN_DATABASES))
    if not is_postgres_name(ctx.attr.user) or ctx.attr.user.startswith("pg_"):
        misuse(ctx.label, "user", repr(ctx.attr.user), identifier + "; not pg_…, which PostgreSQL keeps for itself")
    if ctx.attr.layout and ctx.attr.layout not in LAYOUTS:
        misuse(ctx.label, "layout", repr(ctx.attr.layout), ", ".join([repr(layout) for layout in LAYOUTS]))
    if ctx.attr.layout and not ctx.files.migrations:
        misuse(ctx.label, "layout", repr(ctx.attr.layout), "only beside attribute 'migrations', whose files it is about")
    for name in ctx.attr.extensions:
        if not is_extension_name(name):
            misuse(ctx.label, "extensions", repr(name), "names of lower-case letters, digits, '_' and '-'")
    if ctx.attr.locale and not is_locale_name(ctx.attr.locale):
        misuse(ctx.label, "locale", repr(ctx.attr.locale), "a locale's name as initdb takes it: en_US.UTF-8, or en-US with locale_provider = \"icu\"")
    if ctx.attr.locale_provider and not ctx.attr.locale:
        misuse(ctx.label, "locale_provider", repr(ctx.attr.locale_provider), "only beside attribute 'locale', which names one of the provider's locales")

def _distribution(ctx):
    files = ctx.files.distribution
    if len(files) != 1:
        misuse(
            ctx.label,
            "distribution",
            "%s has %d files" % (ctx.attr.distribution.label, len(files)),
            "a label of one directory that holds bin/, lib/ and share/",
        )
    return files[0]

def _contents(ctx, libraries):
    """Returns the inputs of a build action: every file where the target names them, else the directory as such.

    Bazel does not look into a directory that is an input, and warns of it with each build.
    """
    found = output_group(ctx.attr.distribution, "contents")
    if found != None:
        return found
    return depset(ctx.files.distribution, transitive = [libraries.files])

def _programs(ctx, distribution, contents, libraries):
    """Returns the part of the configuration that says where the server's programs are, and the runfiles for it."""
    if not is_remote(ctx):
        config = {"distribution": runfiles_path(ctx.workspace_name, distribution)}
        return config, ctx.runfiles([distribution]).merge(libraries)
    files = output_group(ctx.attr.distribution, "packed")
    if files:
        archive, info = files.to_list()
    else:
        packed = packed_directory(ctx, distribution, contents)
        archive, info = packed.archive, packed.info
    config = {
        "distribution": path_in_archive(distribution),
        "distribution_archive": runfiles_path(ctx.workspace_name, archive),
        "distribution_info": runfiles_path(ctx.workspace_name, info),
    }
    return config, ctx.runfiles([archive, info])

def _postgres_service_impl(ctx):
    _check_names(ctx)
    check_settings(ctx.label, ctx.attr.settings, OWNED_SETTINGS, hyphen = "_")
    check_scripts(ctx.label, "migrations", ctx.files.migrations, ctx.attr.layout)
    check_scripts(ctx.label, "seeds", ctx.files.seeds)
    distribution = _distribution(ctx)

    # Shared libraries that lie beside the directory, not in it, belong to the target's runfiles.
    libraries = ctx.attr.distribution[DefaultInfo].default_runfiles
    contents = _contents(ctx, libraries)
    templates = postgres_template(ctx, POSTGRES, distribution, contents)
    template = templates.own
    files = [template.archive, template.info] + ([template.whole] if template.whole else [])
    base = {"template_base": runfiles_path(ctx.workspace_name, template.whole)} if template.whole else {}
    programs, programs_runfiles = _programs(ctx, distribution, contents, libraries)
    return [
        # Building the service is what proves the migrations, also without any test of it.
        DefaultInfo(files = depset(files)),
        templates.base,
        service_info(
            ctx,
            kind = POSTGRES,
            config = base | programs | {
                "database": ctx.attr.database,
                "settings": ctx.attr.settings,
                "template": runfiles_path(ctx.workspace_name, template.archive),
                "template_info": runfiles_path(ctx.workspace_name, template.info),
                "user": ctx.attr.user,
            },
            runfiles = ctx.runfiles(files).merge(programs_runfiles),
            client = ctx.attr._client,
        ),
    ]

postgres_service = rule(
    implementation = _postgres_service_impl,
    doc = """A PostgreSQL server, fresh for each test action and gone with it.

Migrations and seeds are applied once, in a build action; a wrong one fails the build with file, line and the server's
message. Tests start from the result.

```python
postgres_service(name = "db", migrations = glob(["migrations/*.sql"]), seeds = ["seed.sql"], extensions = ["pg_trgm"])
```
""",
    attrs = SERVICE_ATTRS | TEMPLATE_ATTRS | PACKING_ATTRS | {
        "distribution": attr.label(
            doc = "A directory with bin/, lib/ and share/ of PostgreSQL 14 or newer. It builds the template and runs the tests.",
            default = "//third_party/postgres:distribution",
            allow_files = True,
        ),
        "settings": attr.string_dict(
            doc = "Server settings by name, such as `work_mem`, also while the template is built. " +
                  "Addresses, paths and logging are the launcher's and are refused.",
        ),
        "_client": attr.label(
            aspects = [compiled_python],
            default = "//third_party/python:asyncpg",
            providers = [PyInfo],
        ),
    },
    provides = [ServiceInfo],
)
