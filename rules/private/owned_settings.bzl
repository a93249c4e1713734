"""Settings of servers that are the launcher's: what it would override, or what would take the server from it.

realservices/contract/owned_settings.py is the same for plain pytest; a test compares.
"""

_ACCOUNTS = "the launcher decides who may log in; the password is random, in the URL of the environment or the fixture"
_ADDRESS = "the launcher decides where it listens, so that tests run side by side; read the address from the environment or the fixture"
_FILES = "the launcher decides where its files lie: they end with the test"
_LOG = "the launcher decides where the log goes: it reads it, shows its last lines and keeps it when a test fails"
_PROCESS = "the launcher decides how it runs: it starts and ends the server itself"

# Why, and what to do instead, by kind and name.
OWNED_SETTINGS = {
    "clickhouse": {
        "access_control_path": _ACCOUNTS,
        "arrowflight_port": _ADDRESS,
        "default_profile": _ACCOUNTS,
        "grpc_port": _ADDRESS,
        "http_port": _ADDRESS,
        "https_port": _ADDRESS,
        "include_from": _FILES,
        "interserver_http_port": _ADDRESS,
        "interserver_https_port": _ADDRESS,
        "interserver_listen_host": _ADDRESS,
        "listen_host": _ADDRESS,
        "logger": _LOG,
        "mysql_port": _ADDRESS,
        "path": _FILES,
        "postgresql_port": _ADDRESS,
        "tcp_port": _ADDRESS,
        "tcp_port_secure": _ADDRESS,
        "tcp_ssh_port": _ADDRESS,
        "tcp_with_proxy_port": _ADDRESS,
        "tmp_path": _FILES,
        "user_directories": _ACCOUNTS,
        "user_files_path": _FILES,
        "users": _ACCOUNTS,
        "users_config": _ACCOUNTS,
    },
    "postgres": {
        "config_file": _FILES,
        "data_directory": _FILES,
        "external_pid_file": _PROCESS,
        "hba_file": _ACCOUNTS,
        "ident_file": _ACCOUNTS,
        "listen_addresses": _ADDRESS,
        "log_destination": _LOG,
        "log_directory": _LOG,
        "log_filename": _LOG,
        "logging_collector": _LOG,
        "port": _ADDRESS,
        "unix_socket_directories": _ADDRESS,
        "unix_socket_group": _ADDRESS,
        "unix_socket_permissions": _ADDRESS,
    },
    "redis": {
        "aclfile": _ACCOUNTS,
        "bind": _ADDRESS,
        "cluster-enabled": "a cluster has only one database, and tests are isolated by database",
        "daemonize": _PROCESS,
        "databases": "use `databases`, which stands beside the settings",
        "dir": _FILES,
        "include": _FILES,
        "logfile": _LOG,
        "pidfile": _PROCESS,
        "port": _ADDRESS,
        "protected-mode": _ADDRESS,
        "requirepass": _ACCOUNTS,
        "supervised": _PROCESS,
        "tls-port": _ADDRESS,
        "unixsocket": _ADDRESS,
        "unixsocketperm": _ADDRESS,
        "user": _ACCOUNTS,
    },
}
