"""What both sides know of ClickHouse."""

from __future__ import annotations

from realservices.contract import owned_settings as owned
from realservices.contract.manifest_shapes import DATABASE, SETTINGS
from realservices.contract.url_forms import jdbc
from realservices.kinds.environment_names import ANALYTICS
from realservices.kinds.kind import Kind


class _ClickHouse(Kind):
    name = "clickhouse"
    package = __package__
    title = "ClickHouse"
    server = "server.service:ClickHouse"
    isolated = "isolated:ISOLATED"
    has_worker_databases = True
    fixtures = ("fixtures",)
    has_extra = False
    client_libraries = {"clickhouse-connect": "0.8"}
    resources = {"clickhouse": ()}
    environments = frozenset({ANALYTICS})
    is_default = True
    hints = "hints:HINTS"
    validated = "validated:VALIDATED"
    config = {"server": str, **DATABASE, "server_settings": SETTINGS, "local_dictionaries": bool}
    template = {
        "has_local_dictionaries": bool,
        "replay": {"statements": [str], "copies": {str: [str]}, "session": bool, "ready": dict, "refusal": str},
    }
    variables = {
        "TEST_CLICKHOUSE_HOST": "host",
        "TEST_CLICKHOUSE_HTTP_PORT": "http_port",
        "TEST_CLICKHOUSE_TCP_PORT": "tcp_port",
        "TEST_CLICKHOUSE_USER": "user",
        "TEST_CLICKHOUSE_PASSWORD": "password",
        "TEST_CLICKHOUSE_DB": "database",
        "CLICKHOUSE_URL": "url",
    }
    fields = ("url", "host", "port", "password", "database", "user")
    url_forms = {"jdbc": jdbc("clickhouse")}
    migrator_fields = ("url", "host", "port", "user", "password", "database")
    port_names = ("http", "tcp")
    build_tools = {"template": "template.build:main"}
    program_variable = "REALSERVICES_CLICKHOUSE"
    program = "ClickHouse, its program or libchdb.so"
    program_keys = ("server", "template", "template_info")
    client_programs = {"clickhouse-client": "programs.clickhouse_client"}
    owned_settings = {
        "access_control_path": owned.ACCOUNTS,
        "arrowflight_port": owned.ADDRESS,
        "default_profile": owned.ACCOUNTS,
        "grpc_port": owned.ADDRESS,
        "http_port": owned.ADDRESS,
        "https_port": owned.ADDRESS,
        "include_from": owned.FILES,
        "interserver_http_port": owned.ADDRESS,
        "interserver_https_port": owned.ADDRESS,
        "interserver_listen_host": owned.ADDRESS,
        "listen_host": owned.ADDRESS,
        "logger": owned.LOG,
        "mysql_port": owned.ADDRESS,
        "path": owned.FILES,
        "postgresql_port": owned.ADDRESS,
        "tcp_port": owned.ADDRESS,
        "tcp_port_secure": owned.ADDRESS,
        "tcp_ssh_port": owned.ADDRESS,
        "tcp_with_proxy_port": owned.ADDRESS,
        "tmp_path": owned.FILES,
        "user_directories": owned.ACCOUNTS,
        "user_files_path": owned.FILES,
        "users": owned.ACCOUNTS,
        "users_config": owned.ACCOUNTS,
    }
    owned_key = "server_settings"


KIND = _ClickHouse()
