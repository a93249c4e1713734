"""A new data directory: the system's tables, made by the server's own bootstrap from the files that come with it.

What `mariadb-install-db` does, without its shell, its help tables and its `sys` schema, and with one account instead
of several without passwords. https://mariadb.com/kb/en/mariadb-install-db/
"""

from __future__ import annotations

import os

from realservices.contract.errors import TemplateError
from realservices.host.namespaces import fork_into_process_namespace
from realservices.host.process import describe_exit, spawn
from realservices.kinds.mariadb.server.settings import own_files, server_command
from realservices.kinds.mariadb.template.noted import STEADY_SETTINGS
from realservices.schema.psql_words import indented

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ADMINISTRATOR = "root"
"""The account of the build, without a password: only its own unix socket lets it in. Its end removes it."""

# Each line of it is a statement: a bootstrapping server ends a statement where a line ends with a semicolon.
_BEFORE = "CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
_FILES = ("system_tables.sql", "performance_tables.sql", "system_tables_data.sql")
# It waits for a hostname to be looked up as an account, which nobody needs.
_AFTER = "DELETE FROM mysql.global_priv WHERE User='root' AND Host<>'localhost';\nDELETE FROM mysql.proxies_priv;\n"
_LAST_LINES = 20


def bootstrap(server: str, data: str, settings: Mapping[str, str], log: str) -> None:
    """Make a data directory.

    Args:
        server: Path of mariadbd.
        data: The directory; it does not exist yet.
        settings: The user's for the server.
        log: File for what the server says.

    Raises:
        TemplateError: The server cannot be started, or fails.
        OSError: Its files are not where it is.
    """
    share, prefix = own_files(server)
    os.makedirs(f"{data}/mysql", 0o700)
    script = f"{os.path.dirname(data)}/bootstrap.sql"
    with open(script, "wb") as output:
        output.write(_BEFORE.encode())
        for name in _FILES:
            with open(f"{share}/{prefix}{name}", "rb") as file:
                output.write(file.read())
        output.write(_AFTER.encode())
    own = STEADY_SETTINGS | {"bootstrap": "", "skip-grant-tables": ""}
    status = _run(server_command(server, data, settings, own), data, script, log)
    if status:
        raise TemplateError(
            f"MariaDB {describe_exit(status)} before it had made its system tables. It says:\n{last_words(log)}"
        )


def _run(command: list[str], data: str, script: str, log: str) -> int:
    """Run a bootstrapping server to its end; return how it has ended, as waitpid(2) says it."""
    descriptors = os.open(script, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        fork = fork_into_process_namespace
        pid = spawn(command, env=environment(data), stdin=descriptors[0], output=descriptors[1], cwd=data, fork=fork)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return os.waitpid(pid, 0)[1]


def environment(home: str) -> dict[str, str]:
    """Return the environment of the build's programs: the same on every machine."""
    return {"PATH": "/usr/bin:/bin", "HOME": home, "LC_ALL": "C", "TZ": "UTC"}


def last_words(log: str) -> str:
    """Return the last lines of a log, indented."""
    with open(log, encoding="utf-8", errors="replace") as file:
        return indented("\n".join(file.read().splitlines()[-_LAST_LINES:]) or "(nothing)")
