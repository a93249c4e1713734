"""PostgreSQL: one private server per test action, on an overlay of a migrated and seeded template.

Config keys in the manifest: ``distribution`` (runfiles path of a directory with bin, lib and share), ``template`` and
``template_info`` (outputs of the build action, see postgres_template.py), ``database``, ``user``, ``settings``.

Ways to run, best first: on an overlay in namespaces of its own; on a private copy of the template, where the machine
refuses namespaces. PostgreSQL refuses to run as root: the namespace maps root to an unprivileged user, the copy is
given to one.

Readiness is the protocol's own: a connection that gets ReadyForQuery and sets the random password
(https://www.postgresql.org/docs/current/protocol-flow.html).
"""

from __future__ import annotations

import json
import os
import signal

from realservices.host.namespaces import (
    UNPRIVILEGED_ID,
    are_namespaces_possible,
    fork_into_namespaces,
    fork_into_opened,
    map_user,
    mount_overlay,
    open_namespaces,
)
from realservices.host.process import spawn
from realservices.host.templates import TemplateLease, free_bytes, lease_template, unpack_template
from realservices.services.base import HOST, Service, connect_unix
from realservices.services.postgres_settings import server_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket

    from realservices.contract.manifest import ServiceSpec
    from realservices.host.sandbox import Sandbox

_PROTOCOL_3_0 = 196608
# From this version on the client's work per login can be made small; the password is random and lives for one test.
_FIRST_WITH_SCRAM_ITERATIONS = 160000


class Postgres(Service):
    """A postgres server on a leased port and a unix socket."""

    # Smart shutdown (SIGTERM) would wait for clients; fast shutdown (SIGINT) ends their connections and keeps data.
    stop_signal = int(signal.SIGINT)

    def __init__(self, spec: ServiceSpec, sandbox: Sandbox, runfiles: str, ports: list[int]) -> None:
        super().__init__(spec, sandbox, runfiles, ports)
        config = spec.config
        with open(f"{runfiles}/{config['template_info']}", encoding="utf-8") as file:
            self._info = json.load(file)
        user, database = config["user"], config["database"]
        self.endpoint |= {
            "user": user,
            "database": database,
            "template_database": self._info["template_database"],
            "ready_databases": self._info["ready_databases"],
            "socket": self.directory,
            "url": f"postgresql://{user}:{self.password}@{HOST}:{self.port}/{database}",
        }
        self._sandbox = sandbox
        self._mount_point = f"{self.directory}/fs"
        os.mkdir(self._mount_point, 0o700)
        self._in_namespaces = are_namespaces_possible()
        self._template: TemplateLease | None = None
        self._namespaces: list[int] = []
        self._copy = ""

    def start(self, env: dict[str, str], output: int) -> int:
        """Start the server; the way it runs is the best one that has not failed yet."""
        if self._in_namespaces:
            try:
                return self._start_on_overlay(env, output)
            except OSError as error:
                self._fall_back(str(error))
        return self._start_on_copy(env, output)

    def degrade(self) -> bool:
        """Give up namespaces after the child found that the kernel refuses them."""
        if not self._in_namespaces:
            return False
        self._fall_back("the kernel refused a namespace or the overlay mount")
        return True

    def is_ready_line(self, line: str) -> bool:
        """Recognise the postmaster's announcement; translations are off (lc_messages is C)."""
        return "ready to accept connections" in line

    def probe(self) -> bool:
        """Connect as the superuser over the unix socket and set the password for TCP."""
        with connect_unix(f"{self.directory}/.s.PGSQL.{self.port}") as connection:
            options = "-c log_statement=none -c log_min_duration_statement=-1"
            if self._info["server_version_num"] >= _FIRST_WITH_SCRAM_ITERATIONS:
                options += " -c scram_iterations=1"
            user = self.spec.config["user"]
            start_up = {"user": user, "database": self.spec.config["database"], "options": options}
            body = b"".join(f"{name}\0{value}\0".encode() for name, value in start_up.items()) + b"\0"
            connection.sendall(_number(len(body) + 8) + _number(_PROTOCOL_3_0) + body)
            if not _is_ready(connection):
                return False
            statement = f"ALTER ROLE \"{user}\" PASSWORD '{self.password}'".encode() + b"\0"
            connection.sendall(b"Q" + _number(len(statement) + 4) + statement)
            return _is_ready(connection)

    def close(self) -> None:
        """Let go of the template, and of the namespaces with all that was written."""
        self._drop_namespaces()
        if self._template:
            self._template.release()

    def _start_on_overlay(self, env: dict[str, str], output: int) -> int:
        command = self._command(f"{self._mount_point}/data")
        if self._namespaces:
            return self._start_again(command, env, output)
        if not self._template:
            self._template = lease_template(self._archive, self._info["digest"], self._info["size_bytes"])
        lower, mount_point = self._template.path, self._mount_point
        uid, gid = os.geteuid(), os.getegid()

        def prepare() -> None:
            map_user(uid, gid)
            mount_overlay(lower, mount_point)

        pid = spawn(command, env=env, output=output, fork=fork_into_namespaces, prepare=prepare)
        self._namespaces = open_namespaces(pid)
        return pid

    def _start_again(self, command: list[str], env: dict[str, str], output: int) -> int:
        """Start after a stop, on the same data."""

        def prepare() -> None:
            # Written by process 1 of a namespace that is gone; here that number is somebody else's.
            for lock in (f"{self._mount_point}/data/postmaster.pid", f"{self.directory}/.s.PGSQL.{self.port}.lock"):
                if os.path.exists(lock):
                    os.unlink(lock)

        return spawn(command, env=env, output=output, fork=lambda: fork_into_opened(self._namespaces), prepare=prepare)

    def _start_on_copy(self, env: dict[str, str], output: int) -> int:
        if not self._copy:
            self._copy = self._unpack_copy()

        def prepare() -> None:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
                os.setresuid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID)

        return spawn(self._command(self._copy), env=env, output=output, prepare=prepare)

    def _unpack_copy(self) -> str:
        parent = self._sandbox.root
        memory = self._sandbox.memory
        if memory and free_bytes(os.path.dirname(memory)) > 2 * self._info["copy_size_bytes"]:
            os.makedirs(memory, mode=0o700, exist_ok=True)
            parent = memory
        data = f"{parent}/{self.spec.name}.data"
        unpack_template(self._archive, data, is_written=True)
        if os.geteuid() == 0:
            _give_away(data)
            _give_away(self.directory)
            for directory in (self._sandbox.private, parent):
                os.chmod(directory, 0o711)  # noqa: S103 - to pass through, not to read
        return data

    def _fall_back(self, reason: str) -> None:
        self._in_namespaces = False
        self._drop_namespaces()
        # Immediate shutdown: SIGKILL would leave workers and a SysV segment behind.
        self.end_signal = int(signal.SIGQUIT)
        self.warning = (
            f"service {self.spec.name!r} ({self.spec.label}) runs on a private copy of its template, which starts "
            f"more slowly: {reason}"
        )

    def _drop_namespaces(self) -> None:
        for descriptor in self._namespaces:
            os.close(descriptor)
        self._namespaces = []

    @property
    def _archive(self) -> str:
        return f"{self.runfiles}/{self.spec.config['template']}"

    def _command(self, data: str) -> list[str]:
        settings = server_settings(self.spec.config["settings"], self._info["server_version_num"])
        settings |= {
            "port": str(self.port),
            "listen_addresses": HOST,
            "unix_socket_directories": self.directory,
        }
        program = f"{self.runfiles}/{self.spec.config['distribution']}/bin/postgres"
        return [program, "-D", data, *(f"--{name}={value}" for name, value in settings.items())]


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _is_ready(connection: socket) -> bool:
    """Read messages up to ReadyForQuery (True) or an error (False)."""
    received = b""
    while True:
        while len(received) >= 5 and len(received) > (length := int.from_bytes(received[1:5], "big")):
            if received[:1] in (b"Z", b"E"):
                return received[:1] == b"Z"
            received = received[length + 1 :]
        more = connection.recv(4096)
        if not more:
            return False
        received += more


def _give_away(path: str) -> None:
    """Give a directory tree that root made to the unprivileged user that the server runs as."""
    os.chown(path, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    for root, directories, files in os.walk(path):
        for name in (*directories, *files):
            os.chown(f"{root}/{name}", UNPRIVILEGED_ID, UNPRIVILEGED_ID, follow_symlinks=False)
