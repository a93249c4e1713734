"""`mariadb_service`: a MariaDB server of a test's own, with its schema and rows built in beforehand."""

load("//rules:providers.bzl", "ServiceInfo")
load(":kinds.bzl", "kind_info")
load(":labels.bzl", "runfiles_path")
load(":migrate.bzl", "MIGRATE_ATTRS", "migration")
load(":names.bzl", "check_account")
load(":owned_settings.bzl", "ACCOUNTS", "ADDRESS", "FILES", "LOG", "PROCESS")
load(":service.bzl", "SERVICE_ATTRS", "service_info")
load(":settings.bzl", "check_settings")
load(":template_action.bzl", "TEMPLATE_TOOL_ATTRS", "check_scripts", "named_path", "template_action", "template_args")

# realservices/kinds/mariadb/kind.py says the same; a test compares.
MARIADB = kind_info(
    name = "mariadb",
    fields = ["url", "host", "port", "password", "database", "socket", "user"],
    url_forms = ["aiomysql", "asyncmy", "pymysql", "jdbc"],
)
OWNED_SETTINGS = {
    "basedir": FILES,
    "bind_address": ADDRESS,
    "bootstrap": PROCESS,
    "datadir": FILES,
    "defaults_extra_file": FILES,
    "defaults_file": FILES,
    "init_file": ACCOUNTS,
    "innodb_data_file_path": FILES,
    "innodb_data_home_dir": FILES,
    "innodb_log_file_size": "the template's files have the size that they have",
    "innodb_log_group_home_dir": FILES,
    "innodb_page_size": FILES,
    "innodb_undo_tablespaces": FILES,
    "lc_messages_dir": FILES,
    "log_error": LOG,
    "lower_case_table_names": FILES,
    "pid_file": PROCESS,
    "port": ADDRESS,
    "skip_grant_tables": ACCOUNTS,
    "skip_networking": ADDRESS,
    "socket": ADDRESS,
    "tmpdir": FILES,
    "user": PROCESS,
}

_TAKEN_DATABASES = ["information_schema", "mysql", "performance_schema", "sys"]

def _mariadb_service_impl(ctx):
    check_account(ctx, _TAKEN_DATABASES, "root", "only the build action has")
    check_settings(ctx.label, ctx.attr.settings, OWNED_SETTINGS, hyphen = "_")
    check_scripts(ctx.label, "migrations", ctx.files.migrations)
    check_scripts(ctx.label, "seeds", ctx.files.seeds)
    server = ctx.file.server
    beside = ctx.attr.server[DefaultInfo].default_runfiles
    args = template_args(ctx, MARIADB)
    args.add("--server", server)
    args.add_all(ctx.files.migrations, before_each = "--migration", map_each = named_path)
    template = template_action(
        ctx,
        args,
        name = ctx.label.name,
        seeds = ctx.files.seeds,
        inputs = [server] + ctx.files.migrations,
        contents = beside.files,
        migration = migration(ctx, MARIADB),
        mnemonic = "RealservicesMariaDBTemplate",
        what = "MariaDB",
        files = "%d migrations" % len(ctx.files.migrations),
    )
    return [
        # Building the service is what proves the schema, also without any test of it.
        DefaultInfo(files = depset([template.archive, template.info])),
        service_info(
            ctx,
            kind = MARIADB,
            config = {
                "database": ctx.attr.database,
                "server": runfiles_path(ctx.workspace_name, server),
                "settings": ctx.attr.settings,
                "template": runfiles_path(ctx.workspace_name, template.archive),
                "template_info": runfiles_path(ctx.workspace_name, template.info),
                "user": ctx.attr.user,
            },
            runfiles = ctx.runfiles([server, template.archive, template.info]).merge(beside),
        ),
    ]

mariadb_service = rule(
    implementation = _mariadb_service_impl,
    doc = """A MariaDB server, fresh for each test action and gone with it.

Migrations and seeds are applied once, in a build action, by MariaDB's own client; a wrong statement fails the build with
file, line and the server's message. Tests start from the result.

```python
mariadb_service(name = "shop", migrations = glob(["migrations/*.sql"]), seeds = ["seeds.sql"])
```

Tests bring their client library along: put asyncmy (for `isolated_mariadb`), PyMySQL or another one into `deps`.
""",
    attrs = SERVICE_ATTRS | TEMPLATE_TOOL_ATTRS | MIGRATE_ATTRS | {
        "migrations": attr.label_list(
            doc = "SQL files, applied in this order; `glob` sorts by name. All tables go into `database`.",
            allow_files = True,
        ),
        "seeds": attr.label_list(
            doc = "SQL files that put rows in, applied in this order after the migrations.",
            allow_files = True,
        ),
        "server": attr.label(
            doc = "The server, mariadbd, with its client and its share directory beside it, where its package puts them.",
            default = "//third_party/mariadb:server",
            allow_single_file = True,
        ),
        "settings": attr.string_dict(
            doc = "Settings of the server, such as `max_allowed_packet`. Addresses, paths and accounts are the launcher's and are refused.",
        ),
        "user": attr.string(
            doc = "Name of the user that programs connect as. It may do everything, and the objects of the files are its own.",
            default = "test",
        ),
    },
    provides = [ServiceInfo],
)
