"""A PostgreSQL data directory in the making: initdb, a server on it for as long as it is filled, and psql."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import subprocess
import threading

from realservices.contract.errors import TemplateError
from realservices.host.process import die_with_parent
from realservices.kinds.postgres.databases import end_clients, own_settings
from realservices.kinds.postgres.libpq import NO_FILE
from realservices.kinds.postgres.server.settings import steady_settings
from realservices.schema.psql_run import run_scripts
from realservices.schema.psql_words import indented
from realservices.services.base import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from realservices.kinds.postgres.template.locale import Locale
    from realservices.schema.script import Script

_HBA = """\
# The unix socket lies in a directory that only this user can enter; TCP asks for the random password.
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""
_STOP_TIMEOUT_S = 60
_FIRST_WITH_SETTINGS = 160000
_FIRST_WITH_CHECKSUMS = 180000  # By default.


class Cluster:
    """A data directory being made, and the server on it while it runs.

    Args:
        distribution: Directory of the server.
        work: Directory for the data and the socket, which only this user can enter.
        user: The superuser.
        settings: The server's, by name.
        port: Of loopback, for as long as the server runs, too; 0: the socket alone.
    """

    def __init__(self, distribution: str, work: str, user: str, settings: dict[str, str], port: int = 0) -> None:
        self._bin = os.path.join(os.path.abspath(distribution), "bin")
        self.data = data_directory(work)
        self._work = work
        self._user = user
        self._settings = settings
        self._port = port
        self._password = os.urandom(12).hex()
        self._server: subprocess.Popen[str] | None = None
        self._log: list[str] = []
        self._drain = threading.Thread()
        told = self._run("postgres", "--version")
        words = told.stdout.split()
        if told.returncode or len(words) < 3:  # It finds no library that it needs, for instance.
            said = indented((told.stdout + told.stderr).strip() or "(nothing)")
            raise TemplateError(f"{self._bin}/postgres --version ended with code {told.returncode}. It says:\n{said}")
        major, _, minor = words[2].partition(".")
        self.version_num = int(re.sub(r"\D.*", "", major)) * 10000 + int(re.sub(r"\D.*", "", minor or "0") or 0)

    def initialize(self, locale: Locale) -> None:
        """Run initdb and write who may connect.

        Raises:
            TemplateError: initdb fails; the message says what to do where that is known.
        """
        # Else its bootstrap needs /dev/shm, which may be full.
        memory = ["-c", "dynamic_shared_memory_type=mmap"] if self.version_num >= _FIRST_WITH_SETTINGS else []
        # They tell a broken disk, and each row that is first read after a checkpoint costs a page of log.
        checksums = ["--no-data-checksums"] if self.version_num >= _FIRST_WITH_CHECKSUMS else []
        for options in locale.candidates(self.version_num):
            done = self._run(
                "initdb", "-D", self.data, "-U", self._user, "--auth=trust", "--encoding=UTF8", *options,
                "--wal-segsize=1", "--no-sync", "--no-instructions", *memory, *checksums,
            )  # fmt: skip
            if not locale.is_without_letters(done.stderr):
                break
        if done.returncode:
            remedy = _remedy_for_user(done.stderr) or locale.remedy(self.version_num, done.stderr)
            raise TemplateError(f"initdb failed with code {done.returncode}:\n{done.stdout}{done.stderr}{remedy}")
        with open(os.path.join(self.data, "pg_hba.conf"), "w", encoding="utf-8") as file:
            file.write(_HBA)

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        settings = steady_settings(self._settings, self.version_num)
        address = {"listen_addresses": HOST, "port": str(self._port)} if self._port else {"listen_addresses": ""}
        settings |= address | {"unix_socket_directories": self._work, "logging_collector": "off"}
        self._server = subprocess.Popen(
            [os.path.join(self._bin, "postgres"), "-D", self.data, *(f"--{k}={v}" for k, v in settings.items())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_environment(),
            # This tool may be killed: then the server ends, too, by the signal that leaves nothing of it.
            preexec_fn=functools.partial(die_with_parent, os.getpid(), int(signal.SIGQUIT)),
        )
        output = self._server.stdout
        assert output is not None
        for line in output:
            self._log.append(line)
            if "ready to accept connections" in line:
                # A server that finds the pipe full would wait for ever, and its clients with it.
                self._drain = threading.Thread(target=_read_to_end, args=(output,), daemon=True)
                self._drain.start()
                return
        code, log = self._server.wait(), "".join(self._log).rstrip() or "(nothing)"
        raise TemplateError(
            f"the server ended with code {code} before it was ready. It says:\n{log}{self._remedy(log)}"
        )

    def _remedy(self, log: str) -> str:
        refused = [f"{name} = {value!r}" for name, value in self._settings.items() if f'"{name}"' in log]
        return f"\n  correct or remove it in settings: {', '.join(refused)}" if refused else ""

    def stop(self) -> None:
        """Shut down in an orderly way, so that a test's server needs no recovery."""
        if self._server and self._server.poll() is None:
            self._server.send_signal(2)
            self._server.wait(timeout=_STOP_TIMEOUT_S)
            self._drain.join()

    def endpoint(self, database: str) -> dict[str, str]:
        """Let the superuser log in on loopback, with a random password, and return the address for that.

        Args:
            database: The one that it names.
        """
        # Not an argument, which every user of the machine could read.
        script = os.path.join(self._work, "password.sql")
        with open(script, "w", encoding="ascii") as file:
            file.write(f"ALTER ROLE \"{self._user}\" PASSWORD '{self._password}';\n")
        done = self.psql("postgres", "-f", script)
        if done.returncode:
            raise TemplateError(f"cannot set a password:\n{indented(done.stderr)}")
        port = str(self._port)
        return {
            "kind": "postgres",
            "host": HOST,
            "port": port,
            "user": self._user,
            "password": self._password,
            "database": database,
            "socket": self._work,
            "sslmode": "disable",
            "url": f"postgresql://{self._user}:{self._password}@{HOST}:{port}/{database}",
        }

    def forget_password(self) -> None:
        """Take the password back, also from the pages of the catalog: it was random.

        Raises:
            TemplateError: The server refuses it.
        """
        forget = f'ALTER ROLE "{self._user}" PASSWORD NULL'
        self.execute("postgres", forget, "VACUUM (FULL) pg_authid", what="cannot take the password back")

    @property
    def _address(self) -> list[str]:
        """Where psql finds the server."""
        return ["-h", self._work, *(("-p", str(self._port)) if self._port else ()), "-U", self._user]

    def psql(self, database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run psql on the running server, stopping at the first error, whatever the schema's settings are."""
        connection = (*self._address, "-d", database)
        options = " ".join(f"-c {name}={value}" for name, value in own_settings(self.version_num).items())
        words = ("-X", "-q", "-b", "-v", "ON_ERROR_STOP=1", *connection, *arguments)
        return self._run("psql", *words, env={"PGOPTIONS": options})

    def apply(self, database: str, scripts: Sequence[Script], begin: Callable[[Script], None]) -> dict[str, Script]:
        """Run files of SQL, in order; return other databases in which files have ended, and the files.

        Args:
            database: Where.
            scripts: The files.
            begin: Called with each when it begins.

        Raises:
            TemplateError: The server refused something.
        """
        command = [os.path.join(self._bin, "psql"), *self._address]
        return run_scripts(command, scripts, self._work, env=_environment(), database=database, begin=begin)

    def ask(self, database: str, *queries: str, what: str = "cannot ask the server", user: str = "") -> list[str]:
        """Return the lines that queries of our own give, each in its transaction.

        Args:
            database: Where they begin.
            queries: For psql, whose own commands may be among them.
            what: Begins the message of an error.
            user: Who asks, if not the superuser.

        Raises:
            TemplateError: The server refused one.
        """
        name = ("-U", user) if user else ()
        done = self.psql(database, "-At", *name, *(word for query in queries for word in ("-c", query)))
        if done.returncode:
            raise TemplateError(f"{what}:\n{indented(done.stderr)}{_remedy_for_locale(done.stderr)}")
        return done.stdout.splitlines()

    def execute(self, database: str, *statements: str, what: str) -> None:
        """Run statements of our own, each in its transaction.

        Raises:
            TemplateError: The server refused one; ``what`` begins the message.
        """
        self.ask(database, *statements, what=what)

    @contextlib.contextmanager
    def closed(self, database: str) -> Iterator[None]:
        """Keep workers of loaded libraries (pg_cron's, for instance) out of a database, which could not be copied."""
        if "shared_preload_libraries" not in self._settings:
            yield
            return
        what = f"cannot close database {database!r} to be copied"
        allow = f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS '
        self.execute("postgres", f"{allow}false", end_clients(f"datname = '{database}'"), what=what)
        yield
        self.execute("postgres", f"{allow}true", what=what)

    def _run(
        self, program: str, *arguments: str, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        path = os.path.join(self._bin, program)
        try:
            return subprocess.run(
                [path, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                env=_environment() | (env or {}),
            )
        except OSError as error:
            raise TemplateError(
                f"cannot run {path}: {error.strerror}; "
                "a PostgreSQL distribution needs bin/postgres, bin/initdb and bin/psql"
            ) from None


def data_directory(work: str) -> str:
    """Return the path of the data directory in a cluster's directory."""
    return os.path.join(work, "data")


def _remedy_for_locale(errors: str) -> str:
    if "not recognized by setlocale" not in errors:
        return ""
    return (
        "\n  the template that this one begins from was made where the C library has that locale: install it here "
        "(`locale -a` lists what there is; Debian: apt-get install libc-bin), or use PostgreSQL 18, which needs none"
    )


def _remedy_for_user(errors: str) -> str:
    # Where there are user namespaces, such a user has a name: that of the id which it gets there.
    if "could not look up effective user ID" not in errors:
        return ""
    return (
        f"  initdb wants a name for user {os.geteuid()}: add one to /etc/passwd (in a container: `useradd` in its "
        "image, or -v /etc/passwd:/etc/passwd:ro), run the tests as a user who has one (docker run --user), root for "
        "instance, or allow user namespaces (--security-opt seccomp=unconfined)"
    )


def _read_to_end(stream: Iterable[str]) -> None:
    for _ in stream:
        pass


def _environment() -> dict[str, str]:
    # Without HOME libpq asks the system for it, and complains of a .pgpass there that others may read.
    own = {"PGCLIENTENCODING": "UTF8", "PGPASSFILE": NO_FILE}
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"} | own
