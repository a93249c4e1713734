"""What both sides know of PostgreSQL."""

from __future__ import annotations

from realservices.contract import owned_settings as owned
from realservices.contract.manifest_shapes import DATABASE
from realservices.contract.shapes import NAME
from realservices.contract.template_info import INNER_PATH, TREE
from realservices.kinds.environment_names import ANALYTICS, AUTH, WEBSOCKET
from realservices.kinds.kind import Kind
from realservices.kinds.postgres.drivers import DRIVERS
from realservices.kinds.postgres.url_forms import FORMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PROGRAMS = {"archive_digest": NAME, "size_bytes": int}
"""Shape of what is known of a distribution in an archive (template/programs.py)."""


class _Postgres(Kind):
    name = "postgres"
    package = __package__
    title = "PostgreSQL"
    server = "server.service:Postgres"
    isolated = "isolated:ISOLATED"
    pooled = "pooled:POOLED"
    has_worker_databases = True
    hooks = ("fixtures.old_clock",)
    fixtures = ("fixtures.database", "fixtures.drivers", "fixtures.shares")
    client_modules = ("asyncpg", "psycopg")
    client_libraries = {"asyncpg": "0.29"}
    resources = {"database": (), **DRIVERS}
    environments = frozenset({AUTH, WEBSOCKET, ANALYTICS})
    is_default = True
    hints = "hints:HINTS"
    validated = "validated:VALIDATED"
    fetch = "sources.completed:fetch"
    trial = "trial:version_of"
    config = {
        "distribution": str,
        "distribution_archive?": str,
        "distribution_info?": str,
        **DATABASE,
        "template_base?": str,
    }
    template = {
        **TREE,
        "copy_size_bytes": int,
        "removed?": [INNER_PATH],
        "base?": TREE,
        "template_database": str,
        "ready_databases": [str],
        "server_version_num": int,
    }
    variables = {
        "TEST_POSTGRES_HOST": "host",
        "TEST_POSTGRES_PORT": "port",
        "TEST_POSTGRES_USER": "user",
        "TEST_POSTGRES_PASSWORD": "password",
        "TEST_POSTGRES_DB": "database",
        "DATABASE_URL": "url",
    }
    # Without a file of certificates some libraries look for one at home; others refuse variables that they do not know.
    more_variables = {
        "PGHOST": "host",
        "PGPORT": "port",
        "PGUSER": "user",
        "PGPASSWORD": "password",
        "PGDATABASE": "database",
        "PGSSLMODE": "sslmode",
        "PGSSLROOTCERT": "sslrootcert",
    }
    fields = ("url", "host", "port", "password", "database", "socket", "user")
    url_forms = FORMS
    migrator_fields = ("url", "host", "port", "user", "password", "database", "socket")
    build_tools = {"template": "template.build:main", "programs": "template.programs:main"}
    program_variable = "REALSERVICES_POSTGRES"
    program = "PostgreSQL, a directory with bin, lib and share"
    program_keys = ("distribution", "template", "template_info")
    client_programs = dict.fromkeys(("pg_dump", "pg_isready", "pg_restore", "pgbench", "psql"), "")
    client_command = "psql"
    owned_settings = {
        "config_file": owned.FILES,
        "data_directory": owned.FILES,
        "external_pid_file": owned.PROCESS,
        "hba_file": owned.ACCOUNTS,
        "ident_file": owned.ACCOUNTS,
        "listen_addresses": owned.ADDRESS,
        "log_destination": owned.LOG,
        "log_directory": owned.LOG,
        "log_filename": owned.LOG,
        "logging_collector": owned.LOG,
        "port": owned.ADDRESS,
        "unix_socket_directories": owned.ADDRESS,
        "unix_socket_group": owned.ADDRESS,
        "unix_socket_permissions": owned.ADDRESS,
    }
    hyphen = "_"

    def program_directory(self, config: Mapping[str, Any], runfiles: str) -> str:
        return f"{runfiles}/{config['distribution']}/bin"

    def client_address(self, endpoint: Mapping[str, Any], env: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        from realservices.kinds.postgres.libpq import libpq_environment  # noqa: PLC0415 - for its users

        address = {field: endpoint[field] for field in ("host", "port", "user", "password", "database")}
        return [], libpq_environment(env, **address)

    def made_of(self, files: Mapping[str, str]) -> list[str]:
        return [f"{files['distribution']}/bin/postgres", files["template"]]


KIND = _Postgres()
