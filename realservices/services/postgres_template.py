"""Build action: make a migrated and seeded PostgreSQL data directory, once, as a Bazel output.

initdb, extensions, migrations in order, seeds; then a copy for programs that use DATABASE_URL, and one archive of it
all. A statement that the server refuses fails the build with file, line, statement and the server's words.

psql applies the files, because it is what everybody's migrations were written against: several statements outside of
a transaction, COPY FROM stdin as pg_dump writes it, and error positions.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading

from realservices.contract.errors import RealServicesError, TemplateError
from realservices.host.namespaces import UNPRIVILEGED_ID, enter_user_namespace
from realservices.services.postgres_settings import server_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TEMPLATE_DATABASE = "realservices_template"
# Copies for the first tests that need a database of their own. In the archive they are links and take no space.
READY_DATABASES = [f"realservices_ready_{number}" for number in range(1, 5)]
_HBA = """\
# The unix socket lies in a directory that only this user can enter; TCP asks for the random password.
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""
_STOP_TIMEOUT_S = 60
_FIRST_WITH_BUILTIN_LOCALE = 170000
_FIRST_WITH_STRATEGY = 150000
_WAL_NAME_LENGTH = 24
# psql's own words: "psql:FILE:LINE: ERROR:  …", then "LINE 3: …" with the position inside of the statement.
# Notices of earlier statements look alike but for the severity.
_PSQL_ERROR = re.compile(
    r"^psql:(?P<file>[^\n]+?):(?P<line>\d+): (?P<message>(?:ERROR|FATAL|PANIC|error): .*)", re.DOTALL | re.MULTILINE
)
_LINE_IN_STATEMENT = re.compile(r"^LINE (\d+): ", re.MULTILINE)
_STATEMENT = re.compile(r"^psql:[^\n]+?:\d+: STATEMENT:\s+(.*)", re.DOTALL | re.MULTILINE)


class _Cluster:
    """A data directory being made, and the server on it while it runs."""

    def __init__(self, distribution: str, work: str, user: str, settings: dict[str, str]) -> None:
        self._bin = os.path.join(os.path.abspath(distribution), "bin")
        self.data = os.path.join(work, "data")
        self._work = work
        self._user = user
        self._settings = settings
        self._server: subprocess.Popen[str] | None = None
        self._log: list[str] = []
        self._drain = threading.Thread()
        # Where user namespaces are switched off, root hands the work to an unprivileged user.
        self._ids: dict[str, int] = {}
        if os.geteuid() == 0:
            os.chown(work, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
            self._ids = {"user": UNPRIVILEGED_ID, "group": UNPRIVILEGED_ID}
        words = self._run("postgres", "--version").stdout.split()
        major, _, minor = words[2].partition(".")
        self.version_num = int(re.sub(r"\D.*", "", major)) * 10000 + int(re.sub(r"\D.*", "", minor or "0") or 0)

    def initialize(self) -> None:
        """Run initdb and write who may connect."""
        modern = self.version_num >= _FIRST_WITH_BUILTIN_LOCALE
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if modern else []
        done = self._run(
            "initdb", "-D", self.data, "-U", self._user, "--auth=trust", "--encoding=UTF8", "--locale=C", *locale,
            "--wal-segsize=1", "--no-sync", "--no-instructions",
        )  # fmt: skip
        if done.returncode:
            raise TemplateError(f"initdb failed with code {done.returncode}:\n{done.stdout}{done.stderr}")
        with open(os.path.join(self.data, "pg_hba.conf"), "w", encoding="utf-8") as file:
            file.write(_HBA)

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        settings = server_settings(self._settings, self.version_num)
        settings |= {"listen_addresses": "", "unix_socket_directories": self._work, "logging_collector": "off"}
        self._server = subprocess.Popen(
            [os.path.join(self._bin, "postgres"), "-D", self.data, *(f"--{k}={v}" for k, v in settings.items())],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=_environment(),
            **self._ids,  # type: ignore[call-overload]
        )
        assert self._server.stderr is not None
        for line in self._server.stderr:
            self._log.append(line)
            if "ready to accept connections" in line:
                # A server that finds the pipe full would wait for ever, and its clients with it.
                self._drain = threading.Thread(target=_read_to_end, args=(self._server.stderr,), daemon=True)
                self._drain.start()
                return
        code = self._server.wait()
        raise TemplateError(f"the server ended with code {code} before it was ready:\n{''.join(self._log)}")

    def stop(self) -> None:
        """Shut down in an orderly way, so that a test's server needs no recovery."""
        if self._server and self._server.poll() is None:
            self._server.send_signal(2)
            self._server.wait(timeout=_STOP_TIMEOUT_S)
            self._drain.join()

    def stop_with_little_wal(self) -> None:
        """Stop, and remove the write-ahead log that a server standing on this will never read.

        That is all before the segment in which the shutdown begins, and the empty ones kept for later.
        """
        done = self.psql("postgres", "-At", "-c", "CHECKPOINT", "-c", "SELECT pg_walfile_name(pg_current_wal_lsn())")
        current = int(done.stdout.strip(), 16)
        self.stop()
        directory = os.path.join(self.data, "pg_wal")
        for name in os.listdir(directory):
            # Segments of 1 MB count to FFF within each 4 GB, which a template never reaches.
            if len(name) == _WAL_NAME_LENGTH and int(name, 16) not in (current, current + 1):
                os.unlink(os.path.join(directory, name))

    def psql(self, database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run psql on the running server, stopping at the first error."""
        connection = ("-h", self._work, "-U", self._user, "-d", database)
        return self._run("psql", "-X", "-q", "-b", "-v", "ON_ERROR_STOP=1", *connection, *arguments)

    def execute(self, database: str, statement: str, what: str) -> None:
        """Run one statement of our own.

        Raises:
            TemplateError: The server refused it; ``what`` begins the message.
        """
        done = self.psql(database, "-c", statement)
        if done.returncode:
            raise TemplateError(f"{what}:\n{_indented(done.stderr)}")

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = os.path.join(self._bin, program)
        try:
            done: subprocess.CompletedProcess[str] = subprocess.run(
                [path, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                env=_environment(),
                **self._ids,  # type: ignore[call-overload]
            )
            return done
        except OSError as error:
            raise TemplateError(
                f"cannot run {path}: {error.strerror}; "
                "a PostgreSQL distribution needs bin/postgres, bin/initdb and bin/psql"
            ) from None


def main(arguments: Sequence[str]) -> int:
    """Make the archive and its description; return the exit code."""
    options = _parse(arguments)
    try:
        _build(options)
    except RealServicesError as error:
        print(f"{options.label}: {error}", file=sys.stderr)
        return 1
    return 0


def _build(options: argparse.Namespace) -> None:
    outputs = os.path.abspath(options.output), os.path.abspath(options.info)
    if os.geteuid() == 0 or not _has_name(os.geteuid()):
        try:
            enter_user_namespace()
        except OSError:
            pass  # _Cluster gives root's work to another user instead.
    # Below /tmp because the server's socket needs a short path.
    work = tempfile.mkdtemp(prefix="rs.", dir="/tmp")
    try:
        cluster = _Cluster(options.distribution, work, options.user, dict(options.setting))
        cluster.initialize()
        cluster.start()
        try:
            _fill(cluster, options)
            cluster.stop_with_little_wal()
        finally:
            cluster.stop()
        description = _archive(cluster.data, outputs[0])
    finally:
        shutil.rmtree(work, ignore_errors=True)
    info = {
        **description,
        "server_version_num": cluster.version_num,
        "database": options.database,
        "template_database": TEMPLATE_DATABASE,
        "ready_databases": READY_DATABASES,
    }
    with open(outputs[1], "w", encoding="utf-8") as file:
        json.dump(info, file)


def _has_name(uid: int) -> bool:
    """Say whether the machine knows a user by this id; in a container often nobody does, and initdb refuses."""
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False


def _fill(cluster: _Cluster, options: argparse.Namespace) -> None:
    cluster.execute("postgres", f"CREATE DATABASE {TEMPLATE_DATABASE}", "cannot create the database")
    for extension in options.extension:
        what = f"extension {extension!r} (attribute extensions) cannot be created; the distribution must have it"
        cluster.execute(TEMPLATE_DATABASE, f'CREATE EXTENSION IF NOT EXISTS "{extension}" CASCADE', what)
    for kind, files in (("migration", options.migration), ("seed", options.seed)):
        for shown, path in files:
            done = cluster.psql(TEMPLATE_DATABASE, "-f", path)
            if done.returncode:
                raise TemplateError(_refusal(kind, shown, path, done.stderr))
    # Without autovacuum nobody else would gather statistics, and plans would differ from production's.
    cluster.execute(TEMPLATE_DATABASE, "ANALYZE", "cannot analyze")
    strategy = " STRATEGY FILE_COPY" if cluster.version_num >= _FIRST_WITH_STRATEGY else ""
    for database in (options.database, *READY_DATABASES):
        copy = f'CREATE DATABASE "{database}" TEMPLATE {TEMPLATE_DATABASE}{strategy}'
        cluster.execute("postgres", copy, f"cannot create database {database!r}")
    closed = f"ALTER DATABASE {TEMPLATE_DATABASE} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"
    cluster.execute("postgres", closed, "cannot close the template database")


def _refusal(kind: str, shown: str, path: str, words: str) -> str:
    """Turn psql's words into a message with the line where the fault is, not where the statement ends."""
    statement_match = _STATEMENT.search(words)
    statement = statement_match.group(1).rstrip("\n") if statement_match else ""
    words = words[: statement_match.start()] if statement_match else words
    error = _PSQL_ERROR.search(words)
    if not error:
        return f"PostgreSQL refused {kind} {shown}:\n{_indented(words)}"
    message = error["message"].rstrip("\n")
    # psql counts the line on which the statement ends; the server counts within the statement, if it gives a position.
    last = int(error["line"])
    first = last - statement.count("\n")
    position = _LINE_IN_STATEMENT.search(message)
    # With QUERY, the position is in a query that a function ran, not in the file.
    if position and statement and "\nQUERY:  " not in message:
        first = last = first + int(position.group(1)) - 1
    lines = f"line {first}" if first == last else f"lines {first}-{last}"
    if error["file"] != path:
        lines += f" of {error['file']}, which it includes"
    shown_statement = f"\n  in the statement:\n{_indented(statement)}" if statement else ""
    return f"PostgreSQL refused {kind} {shown}, {lines}:\n{_indented(message)}{shown_statement}"


def _archive(data: str, output: str) -> dict[str, str | int]:
    """Write the data directory as a tar with fixed order, times and owners, and describe it.

    Files with the same content, which are most of those of five databases, are stored once and linked.
    """
    os.unlink(os.path.join(data, "postmaster.opts"))
    first_with: dict[bytes, str] = {}
    sizes = {"size_bytes": 0, "copy_size_bytes": 0}
    with tarfile.open(output, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in _sorted_tree(data):
            member = tar.gettarinfo(path, os.path.relpath(path, data))
            member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
            if not member.isreg():
                tar.addfile(member)
                continue
            with open(path, "rb") as file:
                content = file.read()
            sizes["copy_size_bytes"] += len(content)
            original = first_with.setdefault(hashlib.sha256(content).digest(), member.name) if content else member.name
            if original == member.name:
                sizes["size_bytes"] += len(content)
                tar.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname, member.size = tarfile.LNKTYPE, original, 0
                tar.addfile(member)
    with open(output, "rb") as file:
        return {"digest": hashlib.file_digest(file, "sha256").hexdigest(), **sizes}


def _sorted_tree(top: str) -> Iterator[str]:
    for root, directories, files in os.walk(top):
        directories.sort()
        for name in sorted((*directories, *files)):
            yield os.path.join(root, name)


def _read_to_end(stream: Iterable[str]) -> None:
    for _ in stream:
        pass


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC", "PGCLIENTENCODING": "UTF8"}


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip("\n").split("\n"))


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="postgres_template", description=__doc__)
    parser.add_argument("--label", required=True, help="label of the postgres_service, for messages")
    parser.add_argument("--distribution", required=True, help="directory with bin, lib and share")
    parser.add_argument("--database", default="test", help="database that DATABASE_URL names")
    parser.add_argument("--user", default="test", help="superuser")
    parser.add_argument("--migration", type=_pair, action="append", default=[], metavar="SHOWN=FILE")
    parser.add_argument("--seed", type=_pair, action="append", default=[], metavar="SHOWN=FILE")
    parser.add_argument("--extension", action="append", default=[])
    parser.add_argument("--setting", type=_pair, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--output", required=True, help="archive to write")
    parser.add_argument("--info", required=True, help="its description to write, JSON")
    return parser.parse_args(arguments)
