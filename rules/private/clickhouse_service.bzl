"""`clickhouse_service`: a ClickHouse server of a test's own, with its schema and rows built in beforehand."""

load("@rules_python//python:py_info.bzl", "PyInfo")
load("//rules:providers.bzl", "ServiceInfo")
load(":clickhouse_template.bzl", "CLICKHOUSE_TEMPLATE_ATTRS", "clickhouse_template")
load(":compiled_python.bzl", "compiled_python")
load(":kinds.bzl", "kind_info")
load(":labels.bzl", "runfiles_path")
load(":names.bzl", "check_account")
load(":owned_settings.bzl", "ACCOUNTS", "ADDRESS", "FILES", "LOG")
load(":service.bzl", "SERVICE_ATTRS", "service_info")
load(":settings.bzl", "check_settings")
load(":template_action.bzl", "check_scripts")

# realservices/kinds/clickhouse/kind.py says the same; a test compares.
CLICKHOUSE = kind_info(
    name = "clickhouse",
    fields = ["url", "host", "port", "password", "database", "user"],
    programs = ["clickhouse-client"],
    url_forms = ["jdbc"],
)
OWNED_SETTINGS = {
    "access_control_path": ACCOUNTS,
    "arrowflight_port": ADDRESS,
    "default_profile": ACCOUNTS,
    "grpc_port": ADDRESS,
    "http_port": ADDRESS,
    "https_port": ADDRESS,
    "include_from": FILES,
    "interserver_http_port": ADDRESS,
    "interserver_https_port": ADDRESS,
    "interserver_listen_host": ADDRESS,
    "listen_host": ADDRESS,
    "logger": LOG,
    "mysql_port": ADDRESS,
    "path": FILES,
    "postgresql_port": ADDRESS,
    "tcp_port": ADDRESS,
    "tcp_port_secure": ADDRESS,
    "tcp_ssh_port": ADDRESS,
    "tcp_with_proxy_port": ADDRESS,
    "tmp_path": FILES,
    "user_directories": ACCOUNTS,
    "user_files_path": FILES,
    "users": ACCOUNTS,
    "users_config": ACCOUNTS,
}

_TAKEN_DATABASES = ["default", "information_schema", "system"]

def _clickhouse_service_impl(ctx):
    check_account(ctx, _TAKEN_DATABASES, "default", "the server keeps for itself")
    check_settings(ctx.label, ctx.attr.settings, {})
    check_settings(ctx.label, ctx.attr.server_settings, OWNED_SETTINGS, "server_settings")
    check_scripts(ctx.label, "schema", ctx.files.schema)
    check_scripts(ctx.label, "seeds", ctx.files.seeds)
    server = ctx.file.server
    template = clickhouse_template(ctx, CLICKHOUSE, server)
    return [
        # Building the service is what proves the schema, also without any test of it.
        DefaultInfo(files = depset([template.archive, template.info])),
        service_info(
            ctx,
            kind = CLICKHOUSE,
            config = {
                "database": ctx.attr.database,
                "local_dictionaries": ctx.attr.local_dictionaries,
                "ports": ["http", "tcp"],
                "server": runfiles_path(ctx.workspace_name, server),
                "server_settings": ctx.attr.server_settings,
                "settings": ctx.attr.settings,
                "template": runfiles_path(ctx.workspace_name, template.archive),
                "template_info": runfiles_path(ctx.workspace_name, template.info),
                "user": ctx.attr.user,
            },
            runfiles = ctx.runfiles([server, template.archive, template.info]).merge(ctx.attr.server[DefaultInfo].default_runfiles),
            client = ctx.attr._client,
        ),
    ]

clickhouse_service = rule(
    implementation = _clickhouse_service_impl,
    doc = """A ClickHouse server, fresh for each test action and gone with it, with its HTTP and native protocols.

Schema and seeds are applied once, in a build action; a wrong statement fails the build with file, line and the server's
message. Tests start from the result.

```python
clickhouse_service(name = "events", schema = glob(["schema/*.sql"]), settings = {"max_threads": "2"})
```
""",
    attrs = SERVICE_ATTRS | CLICKHOUSE_TEMPLATE_ATTRS | {
        "local_dictionaries": attr.bool(
            doc = "Lets the user `default`, who needs no password, read tables: dictionaries whose SOURCE is a table of the same " +
                  "server do so, unless they name a user. On by itself where the schema has such a dictionary; set it for those " +
                  "that programs or tests make.",
        ),
        "server": attr.label(
            doc = "The server: the engine as a library (a file that ends in .so) or a `clickhouse` executable.",
            default = "//third_party/clickhouse:server",
            allow_single_file = True,
        ),
        "server_settings": attr.string_dict(
            doc = "Settings of the server, elements of its config.xml without children, such as `max_concurrent_queries`. " +
                  "Addresses, paths and users are the launcher's and are refused.",
        ),
        "settings": attr.string_dict(
            doc = "Settings of queries by name, such as `max_threads`, in the profile of the user.",
        ),
        "_client": attr.label(
            aspects = [compiled_python],
            default = "//third_party/python:clickhouse_connect",
            providers = [PyInfo],
        ),
    },
    provides = [ServiceInfo],
)
