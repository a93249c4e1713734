"""`redis_service`: a Redis server of a test's own."""

load("@rules_python//python:py_info.bzl", "PyInfo")
load("//rules:providers.bzl", "ServiceInfo")
load(":compiled_python.bzl", "compiled_python")
load(":kinds.bzl", "kind_info")
load(":labels.bzl", "runfiles_path")
load(":misuse.bzl", "misuse")
load(":owned_settings.bzl", "ACCOUNTS", "ADDRESS", "FILES", "LOG", "PROCESS")
load(":service.bzl", "SERVICE_ATTRS", "service_info")
load(":settings.bzl", "check_settings")

# realservices/kinds/redis/kind.py says the same; a test compares.
REDIS = kind_info(
    name = "redis",
    fields = ["url", "host", "port", "password", "database", "socket"],
    programs = ["redis-cli"],
)
OWNED_SETTINGS = {
    "aclfile": ACCOUNTS,
    "bind": ADDRESS,
    "cluster-enabled": "a cluster has only one database, and tests are isolated by database",
    "daemonize": PROCESS,
    "databases": "use `databases`, which stands beside the settings",
    "dir": FILES,
    "include": FILES,
    "logfile": LOG,
    "pidfile": PROCESS,
    "port": ADDRESS,
    "protected-mode": ADDRESS,
    "requirepass": ACCOUNTS,
    "supervised": PROCESS,
    "tls-port": ADDRESS,
    "unixsocket": ADDRESS,
    "unixsocketperm": ADDRESS,
    "user": ACCOUNTS,
}

# Redis allocates the table of databases at start: 65536 of them are some 10 MB.
_MOST_DATABASES = 65536

def _redis_service_impl(ctx):
    check_settings(ctx.label, ctx.attr.settings, OWNED_SETTINGS)
    databases = ctx.attr.databases
    if databases < 1 or databases > _MOST_DATABASES:
        misuse(ctx.label, "databases", repr(databases), "1 to %d" % _MOST_DATABASES)
    return [
        DefaultInfo(files = depset([ctx.file.server])),
        service_info(
            ctx,
            kind = REDIS,
            config = {
                "databases": databases,
                "server": runfiles_path(ctx.workspace_name, ctx.file.server),
                "settings": ctx.attr.settings,
            },
            runfiles = ctx.runfiles([ctx.file.server]).merge(ctx.attr.server[DefaultInfo].default_runfiles),
            client = ctx.attr._client,
        ),
    ]

redis_service = rule(
    implementation = _redis_service_impl,
    doc = """A Redis server, fresh for each test action and gone with it.

```python
redis_service(name = "cache", settings = {"maxmemory": "64mb", "maxmemory-policy": "allkeys-lru"})
```
""",
    attrs = SERVICE_ATTRS | {
        "databases": attr.int(
            doc = "How many databases the server has. Each test function leases one for itself.",
            default = 128,
        ),
        "server": attr.label(
            doc = "The server: one executable file, such as redis-server or valkey-server.",
            default = "//third_party/redis:server",
            allow_single_file = True,
        ),
        "settings": attr.string_dict(
            doc = "Lines of redis.conf, by name. Addresses, paths and passwords are the launcher's and are refused.",
        ),
        "_client": attr.label(
            aspects = [compiled_python],
            default = "//third_party/python:redis",
            providers = [PyInfo],
        ),
    },
    provides = [ServiceInfo],
)
