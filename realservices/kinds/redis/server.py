"""Redis: one private server per test action, without persistence, with a database index for each test.

Config keys in the manifest: ``server`` (runfiles path of redis-server), ``databases`` (how many indexes), ``settings``
(redis.conf directives), ``password`` (false: it asks for none). Readiness is the protocol's own: AUTH and PING
(https://redis.io/docs/latest/commands/ping/).
"""

from __future__ import annotations

import os

from realservices.host.process import spawn
from realservices.services.base import HOST, Service, connect_unix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.manifest import ServiceSpec
    from realservices.host.launcher_directories import LauncherDirectories


class Redis(Service):
    """A redis-server on a leased port and a unix socket."""

    def __init__(self, spec: ServiceSpec, directories: LauncherDirectories, runfiles: str, ports: list[int]) -> None:
        super().__init__(spec, directories, runfiles, ports)
        self._socket = f"{self.directory}/redis.sock"
        if not spec.config.get("password", True):
            self.password = ""
        account = f":{self.password}@" if self.password else ""
        self.endpoint |= {
            "password": self.password,
            "database": 0,
            "databases": spec.config["databases"],
            "socket": self._socket,
            "url": f"redis://{account}{HOST}:{self.port}/0",
        }

    def start(self, env: dict[str, str], output: int) -> int:
        """Start the server; its configuration goes through standard input, so that no password shows in `ps`."""
        read_end, write_end = os.pipe()
        try:
            configuration = self._configuration().encode()
            os.set_blocking(write_end, False)
            # The server that reads the pipe is not there yet.
            is_whole = os.write(write_end, configuration) == len(configuration)
            os.close(write_end)
            if not is_whole:
                raise OSError(f"its settings take {len(configuration)} bytes, more than fit into a pipe")
            program = f"{self.runfiles}/{self.spec.config['server']}"
            return spawn([program, "-"], env=env, output=output, stdin=read_end, cwd=self.directory)
        finally:
            os.close(read_end)

    def is_ready_line(self, line: str) -> bool:
        """Recognise the server's announcement of a listener."""
        return "Ready to accept connections" in line

    def probe(self) -> bool:
        """AUTH, where there is a password, and PING over the unix socket."""
        question, expected = b"PING\r\n", b"+PONG\r\n"
        if self.password:
            question, expected = f"AUTH {self.password}\r\n".encode() + question, b"+OK\r\n" + expected
        with connect_unix(self._socket) as connection:
            connection.sendall(question)
            answer = b""
            while answer.count(b"\r\n") < expected.count(b"\r\n"):
                received = connection.recv(256)
                if not received:
                    return False
                answer += received
            return answer == expected

    def _configuration(self) -> str:
        directives = {
            "bind": HOST,
            "port": str(self.port),
            "unixsocket": self._socket,
            "unixsocketperm": "700",
            "databases": str(self.spec.config["databases"]),
            "dir": self.directory,
            "save": '""',
            "appendonly": "no",
            "daemonize": "no",
            "always-show-logo": "no",
            "jemalloc-bg-thread": "no",
            # A histogram for each command that was ever used.
            "latency-tracking": "no",
            **self.spec.config["settings"],
            "requirepass": self.password or '""',
        }
        return "".join(f"{name} {value}\n" for name, value in directives.items())
