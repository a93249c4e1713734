"""What both sides know of MariaDB."""

from __future__ import annotations

from realservices.contract import owned_settings as owned
from realservices.contract.manifest_shapes import DATABASE
from realservices.contract.url_forms import jdbc, with_driver
from realservices.kinds.kind import Kind


class _MariaDB(Kind):
    name = "mariadb"
    package = __package__
    title = "MariaDB"
    server = "server.service:MariaDB"
    isolated = "isolated:ISOLATED"
    has_worker_databases = True
    fixtures = ("fixtures",)
    client_modules = ("asyncmy", "pymysql")
    client_libraries = {"asyncmy": "0.2.14"}
    has_extra = False
    resources = {"mariadb": ("asyncmy",)}
    hints = "hints:HINTS"
    validated = "validated:VALIDATED"
    trial = "trial:version_of"
    config = {"server": str, **DATABASE}
    template = {"server_version": str, "template_database": str}
    variables = {
        "TEST_MARIADB_HOST": "host",
        "TEST_MARIADB_PORT": "port",
        "TEST_MARIADB_USER": "user",
        "TEST_MARIADB_PASSWORD": "password",
        "TEST_MARIADB_DB": "database",
        "MARIADB_URL": "url",
    }
    fields = ("url", "host", "port", "password", "database", "socket", "user")
    url_forms = {
        "aiomysql": with_driver("aiomysql"),
        "asyncmy": with_driver("asyncmy"),
        "pymysql": with_driver("pymysql"),
        "jdbc": jdbc("mariadb"),
    }
    build_tools = {"template": "template.build:main"}
    migrator_fields = ("url", "host", "port", "user", "password", "database")
    program_variable = "REALSERVICES_MARIADB"
    program = "mariadbd, a file"
    program_keys = ("server", "template", "template_info")
    hyphen = "_"
    owned_settings = {
        "basedir": owned.FILES,
        "bind_address": owned.ADDRESS,
        "bootstrap": owned.PROCESS,
        "datadir": owned.FILES,
        "defaults_extra_file": owned.FILES,
        "defaults_file": owned.FILES,
        "init_file": owned.ACCOUNTS,
        "innodb_data_file_path": owned.FILES,
        "innodb_data_home_dir": owned.FILES,
        "innodb_log_file_size": "the template's files have the size that they have",
        "innodb_log_group_home_dir": owned.FILES,
        "innodb_page_size": owned.FILES,
        "innodb_undo_tablespaces": owned.FILES,
        "lc_messages_dir": owned.FILES,
        "log_error": owned.LOG,
        "lower_case_table_names": owned.FILES,
        "pid_file": owned.PROCESS,
        "port": owned.ADDRESS,
        "skip_grant_tables": owned.ACCOUNTS,
        "skip_networking": owned.ADDRESS,
        "socket": owned.ADDRESS,
        "tmpdir": owned.FILES,
        "user": owned.PROCESS,
    }


KIND = _MariaDB()
