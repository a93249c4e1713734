"""Many files of SQL through one psql, each as if it had one of its own.

After each file DISCARD ALL ends what is the session's: settings, roles, temporary tables, prepared statements, locks.
The server refuses it within a transaction, so it finds a file that leaves one open: what that did would be rolled
back at the end of its session, without a word. A new connection costs as much as twenty short statements; a file gets
one if a file before did what DISCARD ALL leaves (_LASTING). Commands of psql change what a later file finds in psql
itself: a file with some has a psql to itself.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import subprocess
import tempfile

from realservices.contract.errors import TemplateError
from realservices.schema.psql_scan import LARGEST_SCANNED_BYTES, pieces
from realservices.schema.psql_words import open_transaction, refusal
from realservices.schema.refused_statements import refuse_command, refuse_tablespaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from realservices.schema.script import Script

QUIET = ("-X", "-q", "-b", "-v", "ON_ERROR_STOP=1")
_PROBE = "DISCARD ALL;"
_DATABASE = ":DBNAME"
# What a session of its own would show or end, and DISCARD ALL does not: new defaults for sessions (ALTER ROLE … SET),
# settings of the program's own, libraries, what procedural languages keep, the seed of random().
_LASTING = re.compile(
    rb"\b(?:ALTER\s+(?:DATABASE|ROLE|USER|SYSTEM)|EXTENSION|LOAD|set_config|setseed"
    rb"|SET\s+(?:SESSION\s+|LOCAL\s+)?(?:%|[\w\"]+\s*\.)|LANGUAGE\s+'?(?!sql\b|plpgsql\b)\w)",
    re.IGNORECASE,
)
# Then a later file may do so without a word of it.
_ROUTINE = re.compile(rb"\b(?:FUNCTION|PROCEDURE)\b", re.IGNORECASE)
_WORDS_BYTES = 1 << 20
# pg_dump writes these around what it writes.
_OWN_COMMANDS = re.compile(r"\\(un)?restrict\s")


def run_scripts(
    command: Sequence[str],
    scripts: Sequence[Script],
    work: str,
    *,
    env: Mapping[str, str],
    database: str,
    directory: str | None = None,
    begin: Callable[[Script], None] = lambda _: None,
) -> dict[str, Script]:
    """Run files, in order; return other databases in which files have ended, each with the last one that has.

    Args:
        command: psql with what it needs to connect, which is not the database.
        scripts: The files.
        work: A directory for what psql is given.
        env: psql's environment.
        database: Where they are run.
        directory: What relative paths in psql's commands start from; None: this process's.
        begin: Called with each file when it begins.

    Raises:
        TemplateError: The server refused something, or a file left a transaction open.
    """
    elsewhere: dict[str, Script] = {}
    for group in _groups(scripts):
        elsewhere |= _run(command, group, work, env, database, directory, begin)
    return elsewhere


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


@contextlib.contextmanager
def _text(script: Script) -> Iterator[bytes | mmap.mmap]:
    if script.text is not None or not os.path.getsize(script.path):
        yield script.text or b""
        return
    with open(script.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        yield text


def _has_commands(script: Script) -> bool:
    """Return whether a file needs a psql of its own, for what it asks of psql itself.

    Raises:
        TemplateError: It asks for what would never end, or for what no template can have.
    """
    with _text(script) as text:
        if len(text) > LARGEST_SCANNED_BYTES:
            return True
        refuse_tablespaces(script, text)
        if text.find(b"\\") < 0:
            return False
        found = [piece for piece in pieces(text) if piece.command and not _OWN_COMMANDS.match(piece.command)]
    for piece in found:
        refuse_command(script, piece)
    return bool(found)


def _new_sessions(group: list[Script]) -> Iterator[bool]:
    """Yield, for each file, whether it needs a connection of its own."""
    before, always = False, False
    for script in group:
        yield before or always
        with _text(script) as text:
            before = len(text) > LARGEST_SCANNED_BYTES or bool(_LASTING.search(text))
            always = always or (before and (len(text) > LARGEST_SCANNED_BYTES or bool(_ROUTINE.search(text))))


def _run(
    command: Sequence[str],
    group: list[Script],
    work: str,
    env: Mapping[str, str],
    database: str,
    directory: str | None,
    begin: Callable[[Script], None],
) -> dict[str, Script]:
    # Told apart from what a file prints, and from another run's.
    token = os.urandom(8).hex()
    with tempfile.TemporaryDirectory(dir=work) as made, tempfile.TemporaryFile(dir=work) as errors:
        paths = [_path(script, made, index) for index, script in enumerate(group)]
        driver = os.path.join(made, "all.sql")
        with open(driver, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write("".join(_lines(group, paths, token, database)))
        current = group[0]
        elsewhere: dict[str, Script] = {}
        psql = subprocess.Popen(
            [*command, *QUIET, "-o", os.devnull, "-d", database, "-f", driver],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=dict(env), cwd=directory,
        )  # fmt: skip
        assert psql.stdout is not None
        with psql:
            for line in psql.stdout:
                word, _, rest = line.decode("utf-8", "replace").rstrip("\n").partition(" ")
                index, _, ended_in = rest.partition(" ")
                if word != token:
                    continue
                if not ended_in:
                    current = group[int(index)]
                    begin(current)
                elif ended_in not in (database, _DATABASE):  # The latter where a file has taken psql's variable away.
                    elsewhere[ended_in] = current
        if psql.returncode:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - _WORDS_BYTES))
            words = errors.read().decode("utf-8", "replace")
            raise TemplateError(_explain(current, paths[group.index(current)], driver, words))
    return elsewhere


def _path(script: Script, directory: str, index: int) -> str:
    if script.text is None:
        return script.path
    path = os.path.join(directory, f"{index}.sql")
    with open(path, "wb") as file:
        file.write(script.text)
    return path


def _lines(group: list[Script], paths: list[str], token: str, database: str) -> Iterable[str]:
    for index, (script, path, is_new) in enumerate(zip(group, paths, _new_sessions(group), strict=True)):
        if is_new:
            yield f'\\connect "{database}"\n'
        yield f"\\echo {token} {index}\n"
        if script.before:
            yield f"{script.before.decode('utf-8', 'surrogateescape')}\n"
        if script.transaction:
            yield "BEGIN;\n"
        yield f"\\i {_quoted(path)}\n"
        # The file may have told psql to go on after errors, or to begin transactions by itself.
        yield "\\set ON_ERROR_STOP on\n"
        if script.transaction:
            yield "COMMIT;\n"
        yield f"{_PROBE}\n\\echo {token} {index} {_DATABASE}\n"


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
