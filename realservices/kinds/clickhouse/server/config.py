"""ClickHouse's configuration files and command line, for the engine as a library and for an ordinary executable.

Which of the two a file is tells its name: a library ends in ``.so``. The library runs ``clickhouse local``, which opens
the server's own listeners when its first queries ask for them (``SYSTEM START LISTEN``) and lives as long as its last
query, so that one sleeps.

The library logs in to itself as the user `default`, from 127.0.0.1 and without a password; nothing can change that. So
`default` has no rights but those of these queries. Programs use another account, with a random password.
"""

from __future__ import annotations

import os

from realservices.kinds.clickhouse.server.host import host_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

HOST = "127.0.0.1"
USER_FILES = "user_files"
"""Where in the data directory files lie that statements read and write by name."""
_LISTEN = "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP"
# One row per block, and of each block the sleep that is the longest that fits a 32-bit number of microseconds.
_HOLD = (
    "SELECT sleepEachRow(4000) FROM system.numbers "
    "SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 4000000000 FORMAT Null"
)
# All, but to end the server or its listeners, or the query that holds the process: without the right to kill queries
# an account can kill its own only. Nor to drop `default`, of which the engine as a library keeps no file, so that its
# loss would not be seen.
_PROGRAMS_GRANTS = (
    "GRANT ALL ON *.* WITH GRANT OPTION",
    "REVOKE KILL QUERY, SYSTEM SHUTDOWN, SYSTEM LISTEN ON *.*",
    "REVOKE DROP DATABASE ON default.*",
)
_HOLDING_GRANTS = ("SYSTEM LISTEN ON *.*", "SELECT ON system.numbers")
# A dictionary whose source is a table of the same server reads it as `default`, unless it names another account. Not in
# every database: with a right on those of the system it could kill the query that holds the process.
_DICTIONARY_GRANTS = ("SELECT ON {database}.*", "SELECT ON realservices_*.*")
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


# What `clickhouse server` reads and the library does not know; nothing says so when it is set.
_SERVERS_OWN = ("custom_settings_prefixes",)


def lost_settings(server: str, server_settings: Mapping[str, str]) -> str:
    """Return which settings this engine would ignore without a word, and what to do; "" if there are none."""
    lost = [name for name in _SERVERS_OWN if name in server_settings]
    if not lost or not is_library(server):
        return ""
    return (
        f"server_settings: {', '.join(lost)}: the engine as a library ({os.path.basename(server)}) has no such "
        "setting. Name a clickhouse program: by REALSERVICES_CLICKHOUSE for plain pytest, with Bazel by "
        "`realservices.clickhouse(path = …)` in MODULE.bazel"
    )


def is_library(server: str) -> bool:
    """Return whether a file is the engine as a library."""
    return os.path.realpath(server).endswith(".so") or server.endswith(".so")


def write_configuration(
    directory: str,
    *,
    server: str,
    data: str,
    ports: Mapping[str, int],
    account: tuple[str, str],
    database: str,
    settings: Mapping[str, str],
    server_settings: Mapping[str, str],
    local_dictionaries: bool,
    merge_tree: Mapping[str, str] | None = None,
) -> list[str]:
    """Write config.xml and users.xml, for nobody else to read; return the command that starts the server.

    Args:
        directory: Where to write them; private.
        server: Path of the library or executable.
        data: The data directory.
        ports: By name: ``http`` and ``tcp``.
        account: User and password of programs.
        database: The programs' database.
        settings: Of queries, by name.
        server_settings: Elements of config.xml without children, by name.
        local_dictionaries: Whether dictionaries may read tables of this server without an account of their own.
        merge_tree: Settings of tables of this family, by name, for those that do not say otherwise.
    """
    config = {
        "database_atomic_delay_before_drop_table_sec": "0",
        "default_profile": "default",
        "mark_cache_size": str(64 << 20),
        **server_settings,
        "listen_host": HOST,
        "users_config": f"{directory}/users.xml",
    }
    if not is_library(server):
        places = {"path": data, "tmp_path": f"{data}/tmp/", "user_files_path": f"{data}/{USER_FILES}/"}
        config |= {**places, "http_port": str(ports["http"]), "tcp_port": str(ports["tcp"])}
    directories = _element("user_directories", _element("users_xml", _element("path", f"{directory}/users.xml")))
    tables = _element("merge_tree", _elements(merge_tree)) if merge_tree else ""
    logger = "" if is_library(server) else _element("logger", _elements({"console": "1", "level": "warning"}))
    _write(f"{directory}/config.xml", _element("clickhouse", _elements(config) + tables + directories + logger))
    grants = list(_HOLDING_GRANTS if is_library(server) else ())
    grants += [grant.format(database=database) for grant in _DICTIONARY_GRANTS if local_dictionaries]
    _write(f"{directory}/users.xml", _users(account, settings, grants))
    return _command(server, f"{directory}/config.xml", data, ports)


def _command(server: str, config: str, data: str, ports: Mapping[str, int]) -> list[str]:
    if not is_library(server):
        return [server, "server", f"--config-file={config}"]
    addresses = [f"--listen_host={HOST}", f"--http_port={ports['http']}", f"--tcp_port={ports['tcp']}"]
    return host_command(
        server, [f"--config-file={config}", f"--path={data}", *addresses, f"--query={_LISTEN}; {_HOLD}"]
    )


def _users(account: tuple[str, str], settings: Mapping[str, str], grants: list[str]) -> str:
    name, password = account
    # The profile of `default` stays empty: a limit on queries must not end the one that holds the process.
    profiles = _element("default", "") + _element("program", _elements(settings))
    user = _elements(
        {
            "password_sha256_hex": _sha256(password.encode()),
            "profile": "program",
            "quota": "default",
        }
    )
    user += _element("grants", "".join(_element("query", query) for query in _PROGRAMS_GRANTS))
    users = _element(name, user + _NETWORKS)
    if grants:
        granted = _element("grants", "".join(_element("query", f"GRANT {grant}") for grant in grants))
        holder = _element("no_password", "") + _elements({"profile": "default", "quota": "default"})
        users += _element("default", holder + granted + _NETWORKS)
    parts = _element("profiles", profiles) + _element("quotas", _element("default", "")) + _element("users", users)
    return _element("clickhouse", parts)


def _sha256(content: bytes) -> str:
    try:
        # The module behind hashlib, which loads OpenSSL first; that takes several milliseconds.
        from _sha2 import sha256  # type: ignore[import-not-found] # noqa: PLC0415
    except ImportError:  # Before Python 3.12.
        from hashlib import sha256  # noqa: PLC0415
    digest: str = sha256(content).hexdigest()
    return digest


def _elements(values: Mapping[str, str]) -> str:
    return "".join(_element(name, value.translate(_ESCAPES)) for name, value in values.items())


def _element(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>"


_NETWORKS = _element("networks", _element("ip", HOST))


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
