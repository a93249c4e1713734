r"""Files of SQL, applied by MariaDB's own client: migrations are written against it, DELIMITER included.

It runs in its binary mode, in which a line is the server's and no command of the client's (`\!`, `source`, `tee`), but
for DELIMITER. What it would take without a word is refused here: a transaction that a file leaves open, a quote or a
comment that never ends.

https://mariadb.com/kb/en/mariadb-command-line-client/
"""

from __future__ import annotations

import os
import re
import subprocess
import time

from realservices.contract.errors import TemplateError
from realservices.kinds.mariadb.names import quote_text
from realservices.kinds.mariadb.template.bootstrap import environment
from realservices.kinds.mariadb.template.remedies import remedy
from realservices.schema.psql_words import indented

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from realservices.kinds.mariadb.wire import Connection
    from realservices.schema.script import Script

_CLIENTS = ("mariadb", "mysql")
_ERROR = re.compile(r"^ERROR(?P<code> \d+ \(\w+\))? at line (?P<line>\d+): (?P<words>.*)", re.DOTALL | re.MULTILINE)
# Texts, names and comments; and a comment that never ends.
_TOKEN = re.compile(
    rb"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--(?=\s)[^\n]*|\#[^\n]*|/\*.*?\*/|/\*""", re.DOTALL
)
# Then a backslash in a text is a backslash.
_OTHER_ESCAPES = b"NO_BACKSLASH_ESCAPES"
_ENDED_ALONE = ("Handler_rollback", "Com_rollback", "Com_rollback_to_savepoint")
_SESSIONS = "SELECT id FROM information_schema.processlist WHERE user = {} AND id <> CONNECTION_ID()"
_DATABASE = "SELECT 1 FROM information_schema.schemata WHERE schema_name = {}"
_END_TIMEOUT_S, _PAUSE_S = 60.0, 0.002
_COUNTERS = f"SHOW GLOBAL STATUS WHERE Variable_name IN ({', '.join(repr(name) for name in _ENDED_ALONE)})"


def client_program(server: str) -> str:
    """Return the client that comes with a server.

    Args:
        server: Path of mariadbd.

    Raises:
        TemplateError: There is none.
    """
    directory = os.path.dirname(os.path.realpath(server))
    places = [f"{place}/{name}" for place in (directory, f"{os.path.dirname(directory)}/bin") for name in _CLIENTS]
    for path in places:
        if os.access(path, os.X_OK):
            return path
    raise TemplateError(f"{server} has no client beside it, which applies files; looked for {', '.join(places)}")


def apply_file(
    script: Script,
    *,
    client: str,
    socket: str,
    account: tuple[str, str],
    database: str,
    work: str,
    connection: Connection,
) -> None:
    """Apply a file.

    Args:
        script: It.
        client: What `client_program` has returned.
        socket: The server's.
        account: User, whose objects are made, and password.
        database: Where.
        work: A directory for the client's home.
        connection: To the same server, for what the file has left.

    Raises:
        TemplateError: The server refuses something, or the file cannot mean what it says.
    """
    before = _counters(connection)
    user, password = account
    command = [client, "--no-defaults", "--skip-ssl", f"--socket={socket}", f"--user={user}", "--binary-mode"]
    command += ["--default-character-set=utf8mb4", "--batch", "--skip-reconnect", f"--database={database}"]
    with open(script.path, "rb") as file:
        _refuse_text(script, file.read())
        file.seek(0)
        done = subprocess.run(
            command, stdin=file, capture_output=True, check=False, env=environment(work) | {"MYSQL_PWD": password}
        )
    if done.returncode:
        raise TemplateError(_refused(script, done.stderr.decode(errors="replace").strip()))
    try:
        _await_end(connection, user)
    except OSError as error:
        raise TemplateError(
            f"the server has ended while {script.kind} {script.shown} was applied, or behind it ({error}): leave "
            "SHUTDOWN out, if it has one"
        ) from error
    _refuse_loss(script, connection, database)
    after = _counters(connection)
    if after["Handler_rollback"] > before["Handler_rollback"] and all(
        after[name] == before[name] for name in _ENDED_ALONE[1:]
    ):
        raise TemplateError(
            f"{script.kind} {script.shown} begins a transaction and does not end it, so that the server has undone it: "
            "end it with COMMIT"
        )


def _refuse_text(script: Script, text: bytes) -> None:
    """Refuse what the client would skip, or send as something else."""
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TemplateError(f"{script.kind} {script.shown} is UTF-16; write it in UTF-8")
    if _OTHER_ESCAPES in text:
        return
    opened = [found.start() for found in _TOKEN.finditer(text) if found[0] == b"/*"]
    if opened:
        line = text.count(b"\n", 0, opened[0]) + 1
        raise TemplateError(
            f"{script.kind} {script.shown}, line {line}: the comment that begins here has no end, so that the client "
            "skips the rest of the file: close it with */"
        )


def _refused(script: Script, words: str) -> str:
    found = _ERROR.search(words)
    if not found:
        return f"MariaDB's client failed with {script.kind} {script.shown}:\n{indented(words or '(it says nothing)')}"
    line = int(found["line"])
    with open(script.path, "rb") as file:
        content = file.read()
    lines = content.decode(errors="replace").splitlines()
    shown = lines[line - 1].strip() if line <= len(lines) else ""
    at = f"\n  in the statement that begins with:\n{indented(shown)}" if shown else ""
    return (
        f"MariaDB refused {script.kind} {script.shown}, line {line}:\n"
        f"{indented('ERROR' + (found['code'] or '') + ': ' + found['words'])}{at}"
        f"{remedy(content, line, found['words'])}"
    )


def _refuse_loss(script: Script, connection: Connection, database: str) -> None:
    """Refuse a file that has taken away where tables are to be."""
    if not connection.run(_DATABASE.format(quote_text(database))):
        raise TemplateError(
            f"{script.kind} {script.shown} has dropped the database {database!r}, which the service's tables are to be "
            "in: leave DROP DATABASE out"
        )


def _await_end(connection: Connection, user: str) -> None:
    """Wait until the server has ended the client's session, maybe after the client: then it undoes what is open."""
    deadline = time.monotonic() + _END_TIMEOUT_S
    while connection.run(_SESSIONS.format(quote_text(user))):
        if time.monotonic() > deadline:
            raise TemplateError(f"MariaDB has not ended its client's session within {_END_TIMEOUT_S:.0f} s")
        time.sleep(_PAUSE_S)


def _counters(connection: Connection) -> Mapping[str, int]:
    return {str(name): int(value or 0) for name, value in connection.run(_COUNTERS)}
