"""Many files of SQL through one psql, each as if it had one of its own.

A new connection for each file: settings, roles, temporary tables and all else of a session end with its file. Commands
of psql change what a later file would find in psql itself, so a file with some has a psql to itself.

After each file the server is asked for something that it refuses within a transaction. A file that leaves one open
would be rolled back, without a word, at the end of its session.
"""

from __future__ import annotations

import mmap
import os
import re
import subprocess
import tempfile

from realservices.contract.errors import TemplateError
from realservices.services.psql_scan import pieces
from realservices.services.psql_words import open_transaction, refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from realservices.services.layouts.script import Script

QUIET = ("-X", "-q", "-b", "-v", "ON_ERROR_STOP=1")
_PROBE = "DISCARD ALL;"
_WORDS_BYTES = 1 << 20
# pg_dump writes these around what it writes.
_OWN_COMMANDS = re.compile(r"\\(un)?restrict\s")
_LARGEST_SCANNED_BYTES = 64 << 20


def run_scripts(
    command: Sequence[str],
    scripts: Sequence[Script],
    work: str,
    *,
    env: Mapping[str, str],
    database: str,
    on_script: Callable[[Script], None] = lambda _: None,
) -> None:
    """Run files, in order.

    Args:
        command: psql with what it needs to connect, which is not the database.
        scripts: The files.
        work: A directory for what psql is given.
        env: psql's environment.
        database: Where they are run.
        on_script: Called before each file.

    Raises:
        TemplateError: The server refused something, or a file left a transaction open.
    """
    for group in _groups(scripts):
        _run(command, group, work, env, database, on_script)


def _groups(scripts: Iterable[Script]) -> list[list[Script]]:
    groups: list[list[Script]] = []
    is_open = False
    for script in scripts:
        shares = not _has_commands(script)
        if shares and is_open:
            groups[-1].append(script)
        else:
            groups.append([script])
        is_open = shares
    return groups


def _has_commands(script: Script) -> bool:
    size = len(script.text) if script.text is not None else os.path.getsize(script.path)
    if not size:
        return False
    if script.text is not None:
        return _finds_commands(script.text)
    with open(script.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return _finds_commands(text)


def _finds_commands(text: bytes | mmap.mmap) -> bool:
    if text.find(b"\\") < 0:
        return False
    if len(text) > _LARGEST_SCANNED_BYTES:
        return True
    return any(piece.command and not _OWN_COMMANDS.match(piece.command) for piece in pieces(text))


def _run(
    command: Sequence[str],
    group: list[Script],
    work: str,
    env: Mapping[str, str],
    database: str,
    on_script: Callable[[Script], None],
) -> None:
    # Told apart from what a file prints, and from another run's.
    token = os.urandom(8).hex()
    with tempfile.TemporaryDirectory(dir=work) as directory, tempfile.TemporaryFile(dir=work) as errors:
        paths = [_path(script, directory, index) for index, script in enumerate(group)]
        driver = os.path.join(directory, "all.sql")
        with open(driver, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write("".join(_lines(group, paths, token, database)))
        current = group[0]
        psql = subprocess.Popen(
            [*command, *QUIET, "-o", os.devnull, "-d", database, "-f", driver],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=dict(env),
        )  # fmt: skip
        assert psql.stdout is not None
        with psql:
            for line in psql.stdout:
                word, _, index = line.partition(b" ")
                if word == token.encode():
                    current = group[int(index)]
                    on_script(current)
        if psql.returncode:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - _WORDS_BYTES))
            words = errors.read().decode("utf-8", "replace")
            raise TemplateError(_explain(current, paths[group.index(current)], driver, words))


def _path(script: Script, directory: str, index: int) -> str:
    if script.text is None:
        return script.path
    path = os.path.join(directory, f"{index}.sql")
    with open(path, "wb") as file:
        file.write(script.text)
    return path


def _lines(group: list[Script], paths: list[str], token: str, database: str) -> Iterable[str]:
    for index, (script, path) in enumerate(zip(group, paths, strict=True)):
        if index:
            yield f'\\connect "{database}"\n'
        yield f"\\echo {token} {index}\n"
        if script.transaction:
            yield "BEGIN;\n"
        yield f"\\i {_quoted(path)}\n"
        # The file may have told psql to go on after errors, or to begin transactions by itself.
        yield "\\set ON_ERROR_STOP on\n"
        if script.transaction:
            yield "COMMIT;\n"
        yield f"{_PROBE}\n"


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"'{escaped}'"


def _explain(script: Script, path: str, driver: str, words: str) -> str:
    own = re.compile(rf"^psql:{re.escape(driver)}:\d+: (?=ERROR|FATAL|error)", re.MULTILINE)
    if own.search(words):
        if _PROBE.rstrip(";") in words:
            with open(path, "rb") as file:
                begins = [piece.line for piece in pieces(file.read()) if piece.words[:1] in (["BEGIN"], ["START"])]
            return open_transaction(script.kind, script.shown, begins[-1] if begins else 0)
        words = own.sub("", words)
    return refusal(script.kind, script.shown, path, words)
