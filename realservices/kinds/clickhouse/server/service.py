"""ClickHouse: one private server per test action, on a copy of a data directory with the schema in it.

Config keys in the manifest: ``server`` (runfiles path of the engine: a library or an executable, see config.py),
``template`` and ``template_info`` (outputs of the build action, see template/build.py), ``database``, ``user``,
``settings``, ``server_settings``, ``local_dictionaries``, ``ports``.

The copy is made anew for each server: with a schema of ten tables it is 130 KB. It lies in shared memory where there is
room. Readiness is the protocol's own: a query by HTTP, as the user of programs. The engine says nothing in its log when
it serves, so the probe is tried often.
"""

from __future__ import annotations

import os

from realservices.host.archive import unpack_archive
from realservices.host.process import spawn
from realservices.host.unpacked_templates import free_bytes
from realservices.kinds.clickhouse.server.config import USER_FILES, write_configuration
from realservices.kinds.clickhouse.server.http import ClickHouseRefusal, is_alive, query
from realservices.services.base import HOST, Service
from realservices.services.port_states import connect
from realservices.services.template_description import read_info
from realservices.system.listeners import stranger_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.manifest import ServiceSpec
    from realservices.host.launcher_directories import LauncherDirectories

# What tests may put in; less than that is free in the shared memory of a container with Docker's default of 64 MB.
_ROOM_BYTES = 256 << 20
_PROBE_TIMEOUT_S = 1.0
# An engine in the page cache serves after 90 ms, one from a cold disk after 0.3 to 2 s.
_FIRST_PROBE_S, _PROBE_PAUSE_S, _LATE_PROBE_PAUSE_S = 0.05, 0.003, 0.02
_LATE_S = 1.0


class ClickHouse(Service):
    """A ClickHouse with its HTTP and native listeners on leased ports."""

    port_count = 2
    is_slow_to_start = True

    def __init__(self, spec: ServiceSpec, directories: LauncherDirectories, runfiles: str, ports: list[int]) -> None:
        super().__init__(spec, directories, runfiles, ports)
        config = spec.config
        self._info = read_info(spec, f"{runfiles}/{config['template_info']}")
        self._ports = {"http": ports[0], "tcp": ports[1]}
        user, database = config["user"], config["database"]
        self.endpoint |= {
            "ports": self._ports,
            "http_port": ports[0],
            "tcp_port": ports[1],
            "user": user,
            "database": database,
            "ready_databases": list(self._info["replay"]["ready"]),
            "template_info": f"{runfiles}/{config['template_info']}",
            "url": f"http://{user}:{self.password}@{HOST}:{ports[0]}/{database}",
        }
        self._directories = directories
        self._data = ""

    def start(self, env: dict[str, str], output: int) -> int:
        """Start the server, on the data that it had before if it is started again."""
        if not self._data:
            data = self._place()
            unpack_archive(f"{self.runfiles}/{self.spec.config['template']}", data)
            os.mkdir(f"{data}/{USER_FILES}")
            self._data = data
        config = self.spec.config
        command = write_configuration(
            self.directory,
            server=f"{self.runfiles}/{config['server']}",
            data=self._data,
            ports=self._ports,
            account=(config["user"], self.password),
            database=config["database"],
            settings=config["settings"],
            server_settings=config["server_settings"],
            local_dictionaries=config["local_dictionaries"] or self._info["has_local_dictionaries"],
        )
        # The library takes names of files, of the table function `file` for instance, from where it stands.
        return spawn(command, env=env, output=output, cwd=f"{self._data}/{USER_FILES}")

    def is_ready_line(self, line: str) -> bool:
        """Nothing in the log announces readiness."""
        return False

    def probe(self) -> bool:
        """Run a query by HTTP in the service's database, and look whether the native port is open too."""
        account = self.spec.config["user"], self.password
        arguments = {"database": self.spec.config["database"]}
        try:
            query((HOST, self.port), account, "SELECT 1", timeout_s=_PROBE_TIMEOUT_S, parameters=arguments)
        except ClickHouseRefusal:
            return False
        connect(HOST, self._ports["tcp"]).close()
        # Only this server takes the password; the native port says nothing of whose it is.
        return not stranger_on(self._ports["tcp"])

    def is_sound(self) -> bool:
        """Ask whether it is alive, and look whether the native port is still open."""
        try:
            connect(HOST, self._ports["tcp"]).close()
            return is_alive((HOST, self.port), timeout_s=_PROBE_TIMEOUT_S)
        except OSError:
            return False

    def probe_pause_s(self, elapsed_s: float) -> float:
        """Try often: a refused connection costs nothing."""
        if not elapsed_s:
            return _FIRST_PROBE_S
        return _PROBE_PAUSE_S if elapsed_s < _LATE_S else _LATE_PROBE_PAUSE_S

    def _place(self) -> str:
        parent, memory = self._directories.root, self._directories.memory
        if memory and free_bytes(os.path.dirname(memory)) > _ROOM_BYTES:
            parent = self._directories.create_memory()
        return f"{parent}/{self.spec.name}.data"
