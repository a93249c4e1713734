"""The settings of our MariaDB servers, and its command lines.

Nobody reads a test's data after the test, so nothing is made durable. What costs time at a start is off: making a
certificate, which MariaDB does where it has none, takes 5 s, native asynchronous input and output 50 ms, a buffer pool
that is written and read again some more.

Names: https://mariadb.com/kb/en/server-system-variables/, https://mariadb.com/kb/en/innodb-system-variables/
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULTS = {
    "character-set-server": "utf8mb4",
    "collation-server": "utf8mb4_uca1400_ai_ci",
    "default-storage-engine": "InnoDB",
    "innodb-autoextend-increment": "1",
    "innodb-buffer-pool-dump-at-shutdown": "0",
    "innodb-buffer-pool-load-at-startup": "0",
    "innodb-buffer-pool-size": "32M",
    "innodb-doublewrite": "0",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-flush-method": "nosync",
    "innodb-log-file-size": "4M",
    "innodb-undo-tablespaces": "0",
    "innodb-use-native-aio": "0",
    "key-buffer-size": "1M",
    "aria-pagecache-buffer-size": "1M",
    "performance-schema": "0",
    "skip-log-bin": "",
    "skip-name-resolve": "1",
    "sync-frm": "0",
    # With more, it asks for more descriptors than many machines allow, and warns.
    "table-open-cache-instances": "1",
}
_SHARE = "share"
# Where Debian's packages have it, and where its own archives do, from the directory of the programs.
_SHARES = (_SHARE, f"{_SHARE}/mysql", f"{_SHARE}/mariadb")
# A file that each MariaDB brings along; the beginnings of names are from version 11 on, and from before.
_SYSTEM_TABLES = "system_tables.sql"
_PREFIXES = ("mariadb_", "mysql_")


def own_files(server: str) -> tuple[str, str]:
    """Return the directory of a server's messages, character sets and system tables, and how names of the last begin.

    Args:
        server: Path of mariadbd.

    Raises:
        FileNotFoundError: There is none beside it.
    """
    home = os.path.dirname(os.path.dirname(os.path.realpath(server)))
    for directory in _SHARES:
        for prefix in _PREFIXES:
            if os.path.exists(f"{home}/{directory}/{prefix}{_SYSTEM_TABLES}"):
                return f"{home}/{directory}", prefix
    places = ", ".join(f"{home}/{each}" for each in _SHARES)
    raise FileNotFoundError(f"{server} has no {_PREFIXES[0]}{_SYSTEM_TABLES}; looked in {places}")


def server_command(server: str, data: str, settings: Mapping[str, str], own: Mapping[str, str]) -> list[str]:
    """Return what starts a server.

    Args:
        server: Path of mariadbd.
        data: Its data directory.
        settings: The user's, which win over our defaults.
        own: Those of this server: its socket, port and the like.

    Raises:
        FileNotFoundError: The server's own files are not beside it.
    """
    share, _ = own_files(server)
    merged = _DEFAULTS | {name.replace("_", "-"): value for name, value in settings.items()}
    merged |= {
        "basedir": os.path.dirname(os.path.dirname(os.path.realpath(server))),
        "lc-messages-dir": share,
        "character-sets-dir": f"{share}/charsets",
        "datadir": data,
        "tmpdir": data,
        **own,
    }
    if os.geteuid() == 0:
        merged["user"] = "root"  # Else it refuses to run as root.
    if "ssl-cert" not in merged:
        merged["skip-ssl"] = ""
    return [server, "--no-defaults", *(f"--{name}={value}" if value else f"--{name}" for name, value in merged.items())]
