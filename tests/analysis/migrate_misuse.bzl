"""Wrong uses of `migrator` and of the attributes `migrate…`."""

load("//rules:defs.bzl", "clickhouse_service", "migrator", "postgres_service")
load(":misuse.bzl", "misuse")

_REMEDY = "it in 'migrate_env' of the service; programs take the password from PGPASSWORD"
_FIELDS = "$(url), $(host), $(port), $(password), $(database), $(socket), $(user); $(PATH LABEL) with one of location,"

def _arguments():
    for name, arg, found, allowed in [
        ("migrator_url_test", "--url=$(url)", "$(url), which every user of the machine could read there", _REMEDY),
        ("migrator_password_test", "$(password)", "$(password), which every user of the machine could read there", _REMEDY),
        ("migrator_service_test", "$(host :db)", "$(host :db): a migrator has the server of its own template, and no other", "$(host)"),
        ("migrator_port_test", "$(port admin)", "$(port admin)", "$(port http), $(port tcp)"),
        ("migrator_unknown_test", "$(hostname)", "$(hostname)", "$(database), $(host), "),
        ("migrator_dollar_test", "$HOME", '"$HOME": a "$" that starts no $(…)', '$(…), or "$$"'),
    ]:
        misuse(name, migrator, "args", found, allowed, args = [arg], binary = ":program")
    misuse("migrator_binary_test", migrator, "binary", ":client is not executable", "a migrator, a binary", binary = ":client")

def _services():
    migrator(name = "to_http", args = ["$(port http)"], binary = ":program", tags = ["manual"])
    migrator(name = "to_socket", args = ["$(socket)"], binary = ":program", tags = ["manual"])
    for name, kind, attribute, found, allowed, attrs in [
        ("migrate_program_test", postgres_service, "migrate", ":client is not executable", "a migrator, a binary or an executable file", {"migrate": [":client"]}),
        ("migrate_port_test", postgres_service, "migrate", ":to_http says $(port http)", 'what a server of kind "postgres" has: url, host,', {"migrate": [":to_http"]}),
        ("migrate_socket_test", clickhouse_service, "migrate", ":to_socket says $(socket)", 'what a server of kind "clickhouse" has: url, host,', {"migrate": [":to_socket"]}),
        ("migrate_env_unknown_test", postgres_service, "migrate_env", "A = $(urls)", _FIELDS, {"migrate": [":program"], "migrate_env": {"A": "$(urls)"}}),
        ("migrate_env_other_test", postgres_service, "migrate_env", "$(url :cache): a migrator has the server", "$(url)", {"migrate": [":program"], "migrate_env": {"A": "$(url :cache)"}}),
        ("migrate_env_driver_test", postgres_service, "migrate_env", "$(url pg8000): a migrator has the server", "$(url), $(url asyncpg), $(url psycopg),", {"migrate": [":program"], "migrate_env": {"A": "$(url pg8000)"}}),
        ("migrate_env_clickhouse_driver_test", clickhouse_service, "migrate_env", "$(url psycopg): a migrator has the server", "$(url)", {"migrate": [":program"], "migrate_env": {"A": "$(url psycopg)"}}),
        ("migrate_env_dollar_test", postgres_service, "migrate_env", 'A = "$": a "$" that', '$(…), or "$$"', {"migrate": [":program"], "migrate_env": {"A": "$"}}),
        ("migrate_env_name_test", postgres_service, "migrate_env", '"A=B"', "names without '='", {"migrate": [":program"], "migrate_env": {"A=B": ""}}),
        ("migrate_env_reserved_test", postgres_service, "migrate_env", '"RUNFILES_DIR"', "a name other than BAZEL_*,", {"migrate": [":program"], "migrate_env": {"RUNFILES_DIR": "/"}}),
        ("migrate_env_alone_test", postgres_service, "migrate_env", "set, but there is nothing in 'migrate' to read it", "it together with 'migrate'", {"migrate_env": {"A": "1"}}),
        ("migrate_data_alone_test", postgres_service, "migrate_data", "set, but there is nothing in 'migrate' to read it", "it together with 'migrate'", {"migrate_data": ["seed.sql"]}),
        ("migrate_timeout_test", postgres_service, "migrate_timeout_s", "0", "seconds, at least 1", {"migrate": [":program"], "migrate_timeout_s": 0}),
    ]:
        misuse(name, kind, attribute, found, allowed, service_name = "db", **attrs)

# buildifier: disable=unnamed-macro
def migrate_misuse_tests():
    """Declares the tests."""
    _arguments()
    _services()
