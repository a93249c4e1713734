"""Discovery files: where a running service is, one JSON file for each, written by the process that has started it.

A file has `port`, `health_url`, `base_url`, `websocket_url`, `host`, `ports`, `kind`, `log`, `control`, `ready_at`, and
`pid` and `started` of the process that it ends with. It has no password: this process's own endpoints have,
`DevLauncher.endpoints`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from realservices.contract.shapes import NOT_NEGATIVE, PORT_OR_NONE, check, load_json, whole_number
from realservices.contract.user_variables import DISCOVERY_DIR
from realservices.dev.errors import DamagedDiscoveryError, StaleServiceError, UnknownServiceError
from realservices.system.process_ids import is_alive, start_of
from realservices.system.regular_file import open_regular
from realservices.system.terminal_text import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from realservices.contract.runtime import Endpoint

DIRECTORY = Path(".service_discovery")
_CONNECT_TIMEOUT_S = 2.0
_HOST = "127.0.0.1"
_MOST_BYTES = 1 << 20
_PIDS = range(1, 1 << 31)
_FILE = {
    "port": PORT_OR_NONE,
    "base_url?": str,
    "health_url?": str,
    "websocket_url?": str,
    "host?": str,
    "ports?": {str: PORT_OR_NONE},
    "kind?": str,
    "log?": str,
    "pid?": range(1 << 31),
    "started?": str,
    "control?": str,
    "ready_at?": NOT_NEGATIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    """Where a service is.

    Attributes:
        name: What it is called.
        port: Its first port; 0: it listens nowhere.
        base_url: What paths are appended to.
        health_url: Where it says how it is. Empty: a connection to its port has to do.
        websocket_url: Where it speaks WebSocket. Empty: it has not said so.
        host, ports, kind, log: As in its endpoint (contract/runtime.py).
        pid: The process with which it ends, 0: unknown.
        started: When that was started (`processes.start_of`).
        control: Path of the control socket of the process that runs it. Empty: there is none.
        ready_at: When it served first, in seconds since the epoch; 0: unknown.
    """

    name: str
    port: int
    base_url: str = ""
    health_url: str = ""
    websocket_url: str = ""
    host: str = _HOST
    ports: Mapping[str, int] = field(default_factory=dict)
    kind: str = ""
    log: str = ""
    pid: int = 0
    started: str = ""
    control: str = ""
    ready_at: float = 0.0


class ServiceDiscovery:
    """Looks services up by name.

    Args:
        discovery_dir: Where the files are; by default REALSERVICES_DISCOVERY_DIR, which a `DevLauncher` sets for this
            process and those that it starts, else `.service_discovery`.
    """

    def __init__(self, discovery_dir: Path | None = None) -> None:
        self.discovery_dir = Path(discovery_dir or os.environ.get(DISCOVERY_DIR) or DIRECTORY)

    async def get_service_info(self, service: str) -> ServiceInfo:
        """Return where a service is.

        Raises:
            UnknownServiceError: It was not started.
            StaleServiceError: It was there, and is not any more.
            DamagedDiscoveryError: Its file cannot be understood.
        """
        info = self.read(service)
        path = self._path(service)
        if info.pid and not is_alive(info.pid, info.started):
            raise StaleServiceError(
                f"service {service!r} is not there any more: process {info.pid}, which started it, has ended without "
                f"removing {path}. Start it again (`await DevLauncher().run()`), or remove the file"
            )
        if info.port and not await _is_open(info.host, info.port):
            raise StaleServiceError(
                f"service {service!r} is not there any more: nothing listens on {info.host}:{info.port}, where {path} "
                f"says it is. Start it again (`await DevLauncher().run()`){_see(info.log)}"
            )
        return info

    def names(self) -> list[str]:
        """Return the names of the services that have files here, in alphabetical order."""
        return sorted(path.stem for path in self.discovery_dir.glob("*.json") if not path.name.startswith("."))

    def read(self, service: str) -> ServiceInfo:
        """Return what a service's file says, whether it is so or not.

        Raises:
            UnknownServiceError: There is no file.
            DamagedDiscoveryError: It cannot be understood.
        """
        path = self._path(service)
        try:
            info = _info(service, _content(path))
        except FileNotFoundError:
            raise UnknownServiceError(
                f"no service {service!r} in {self.discovery_dir}; there are {self._listed()}. "
                "Declare it in [tool.realservices.services] or in the target's `services`, and start it "
                "(`python -m realservices up`, or `await DevLauncher().run()`)"
            ) from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DamagedDiscoveryError(
                f"{as_text(path)} does not say where service {service!r} is: {reason}; expected a JSON object with "
                '"port" and "health_url". Remove it and start the service again'
            ) from None
        return info

    def write(self, endpoint: Endpoint, control: str = "") -> ServiceInfo:
        """Write a service's file in one step, so that no reader sees half of it.

        Args:
            endpoint: The service.
            control: Path of the control socket of the process that runs it.

        Raises:
            StaleServiceError: Another process that lives has started a service of this name here.
        """
        self._refuse_other_owner(endpoint.name)
        info = ServiceInfo(
            name=endpoint.name, port=endpoint.port, base_url=_without_account(endpoint.url),
            health_url=endpoint.health_url, websocket_url=_without_account(endpoint.websocket_url), host=endpoint.host,
            ports=dict(endpoint.ports), kind=endpoint.kind, log=endpoint.log, pid=os.getpid(),
            started=start_of(os.getpid()), control=control, ready_at=time.time(),
        )  # fmt: skip
        self.discovery_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A name of its own, and not one that `names` takes for a service.
        unfinished = self.discovery_dir / f".{endpoint.name}.{os.getpid()}"
        with os.fdopen(
            os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump(asdict(info), file, indent=1)
        unfinished.replace(self._path(endpoint.name))
        return info

    def remove(self, service: str) -> None:
        """Remove a service's file, if this process has written it."""
        try:
            if self.read(service).pid == os.getpid():
                self._path(service).unlink()
        except (UnknownServiceError, DamagedDiscoveryError, FileNotFoundError):
            pass

    def stale_files(self) -> list[Path]:
        """Return the files here of processes that have ended without removing them, half-written ones among them."""
        found = []
        for path in sorted(self.discovery_dir.glob("*.json")):
            with contextlib.suppress(UnknownServiceError, DamagedDiscoveryError):
                info = self.read(path.stem)
                if info.pid and not is_alive(info.pid, info.started):
                    found.append(path)
        for path in sorted(self.discovery_dir.glob(".*.*")):
            writer = path.suffix.removeprefix(".")
            pid = whole_number(writer)
            if pid and pid in _PIDS and not is_alive(pid, ""):
                found.append(path)
        return found

    def _path(self, service: str) -> Path:
        if not service or "/" in service or "\0" in service or service.startswith("."):
            raise UnknownServiceError(f"{service!r} is no service's name; there are {self._listed()}")
        return self.discovery_dir / f"{service}.json"

    def _listed(self) -> str:
        return ", ".join(map(as_text, self.names())) or "none"

    def _refuse_other_owner(self, service: str) -> None:
        try:
            there = self.read(service)
        except (UnknownServiceError, DamagedDiscoveryError):
            return
        if there.pid not in (0, os.getpid()) and is_alive(there.pid, there.started):
            raise StaleServiceError(
                f"{self._path(service)}: service {service!r} was started by process {there.pid}, which still runs. End "
                "that first, or give this one a place of its own: LauncherConfig(test_mode=True) or discovery_dir"
            )


def _content(path: Path) -> dict[str, Any]:
    with open_regular(path) as file:
        text = file.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES >> 20} MB")
    content: dict[str, Any] = load_json(text)
    check(content, _FILE)
    return content


def _info(service: str, content: dict[str, Any]) -> ServiceInfo:
    known = {key: value for key, value in content.items() if key in ServiceInfo.__slots__ and key != "name"}
    if not known.get("base_url"):
        # A file that another tool has written may say no more than where the service listens.
        known["base_url"] = f"http://{known.get('host', _HOST)}:{known['port']}"
    return ServiceInfo(name=service, **known)


async def _is_open(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, ValueError):  # TimeoutError is one of the former; the latter: no host can have such a name.
        return False
    writer.close()
    return True


def _without_account(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _see(log: str) -> str:
    return f"; its log is {log}" if log else ""
