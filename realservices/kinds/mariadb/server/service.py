"""MariaDB: one private server per test action, on a copy of a data directory with the schema in it.

Config keys in the manifest: ``server`` (runfiles path of mariadbd, with its files beside it, see settings.py),
``template`` and ``template_info`` (outputs of the build action, see template/build.py), ``database``, ``user``,
``settings``.

The copy is made anew for each server: with a schema of ten tables it is 18 MB, which take 15 ms. It lies in shared
memory where there is room. The account of programs has no password in the template; the server sets a random one
before it listens. Readiness is the protocol's own: a login with that.
"""

from __future__ import annotations

import os

from realservices.host.archive import unpack_archive
from realservices.host.process import spawn
from realservices.host.unpacked_templates import free_bytes
from realservices.kinds.mariadb.names import quote_text
from realservices.kinds.mariadb.server.settings import server_command
from realservices.kinds.mariadb.wire import Connection, MariaDBRefusal
from realservices.services.base import HOST, Service
from realservices.services.template_description import read_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.manifest import ServiceSpec
    from realservices.host.launcher_directories import LauncherDirectories

# What tests may put in; less than that is free in the shared memory of a container with Docker's default of 64 MB.
_ROOM_BYTES = 256 << 20
_PROBE_TIMEOUT_S = 1.0
_FIRST_PROBE_S, _PROBE_PAUSE_S = 0.1, 0.1


class MariaDB(Service):
    """A mariadbd on a leased port and a unix socket."""

    is_slow_to_start = True

    def __init__(self, spec: ServiceSpec, directories: LauncherDirectories, runfiles: str, ports: list[int]) -> None:
        super().__init__(spec, directories, runfiles, ports)
        config = spec.config
        info = read_info(spec, f"{runfiles}/{config['template_info']}")
        user, database = config["user"], config["database"]
        self._socket = f"{self.directory}/mariadb.sock"
        self.endpoint |= {
            "user": user,
            "database": database,
            "socket": self._socket,
            "template_database": info["template_database"],
            "url": f"mysql://{user}:{self.password}@{HOST}:{self.port}/{database}",
        }
        self._directories = directories
        self._data = ""
        self._init_file = f"{self.directory}/init.sql"

    def start(self, env: dict[str, str], output: int) -> int:
        """Start the server, on the data that it had before if it is started again."""
        if not self._data:
            data = self._place()
            unpack_archive(f"{self.runfiles}/{self.spec.config['template']}", data)
            self._data = data
        self._write_init_file()
        own = {
            "bind-address": HOST,
            "port": str(self.port),
            "socket": self._socket,
            "pid-file": f"{self.directory}/mariadb.pid",
            "init-file": self._init_file,
        }
        server = f"{self.runfiles}/{self.spec.config['server']}"
        return spawn(
            server_command(server, self._data, self.spec.config["settings"], own),
            env=env,
            output=output,
            cwd=self._data,
        )

    def is_ready_line(self, line: str) -> bool:
        """Recognise the server's announcement."""
        return "ready for connections" in line

    def probe(self) -> bool:
        """Log in by the unix socket with the password, which no other server knows, and use the database."""
        config = self.spec.config
        try:
            Connection(
                self._socket, config["user"], self.password, config["database"], timeout_s=_PROBE_TIMEOUT_S
            ).close()
        except MariaDBRefusal:
            return False
        if os.path.exists(self._init_file):
            os.unlink(self._init_file)  # It has been read, and holds the password.
        return True

    def probe_pause_s(self, elapsed_s: float) -> float:
        """Wait for the announcement, but for a server that says nothing."""
        return _PROBE_PAUSE_S if elapsed_s else _FIRST_PROBE_S

    def _write_init_file(self) -> None:
        """Write what the server runs before it listens; no command line shows the password."""
        user = quote_text(self.spec.config["user"])
        descriptor = os.open(self._init_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"ALTER USER {user}@'%' IDENTIFIED BY '{self.password}';\n")

    def _place(self) -> str:
        parent, memory = self._directories.root, self._directories.memory
        if memory and free_bytes(os.path.dirname(memory)) > _ROOM_BYTES:
            parent = self._directories.create_memory()
        return f"{parent}/{self.spec.name}.data"
