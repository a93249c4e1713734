"""How a `DevLauncher` starts a project's services."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.dev.settings import DYNAMIC_PORTS, is_on
from realservices.sources.declarations import read_project
from realservices.sources.errors import SettingError
from realservices.sources.project import project_root

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherConfig:
    """How services are started.

    Attributes:
        dynamic_ports: Ports are leased, so that any number of sessions can run at once. By default what DYNAMIC_PORTS
            says, which is on. False: the ports that services declare in `fixed_ports`.
        test_mode: The services are this session's own affair: discovery files lie in its private directory. False:
            they lie in the project's `.service_discovery`, where other programs find them.
        startup_timeout: Seconds that the start of all services may take together.
        port_ranges: Where ports come from, with fixed ports, for a service that declares none or whose port is taken:
            pairs of first and last port, in the order in which they are tried.
        services: Names of the services to start, with what they need; by default all that the project declares.
        discovery_dir: Where discovery files are written, if not as `test_mode` says.
    """

    dynamic_ports: bool = field(default_factory=lambda: is_on(DYNAMIC_PORTS))
    test_mode: bool = True
    startup_timeout: float = 30.0
    port_ranges: Sequence[tuple[int, int]] = ()
    services: Sequence[str] = ()
    discovery_dir: Path | None = None

    def __post_init__(self) -> None:
        for name in ("dynamic_ports", "test_mode"):
            _require(isinstance(getattr(self, name), bool), name, getattr(self, name), "True or False")
        timeout: Any = self.startup_timeout
        is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
        _require(is_number and timeout > 0, "startup_timeout", timeout, "a number of seconds above 0")
        for each in self.port_ranges:
            _require(_is_range(each), "port_ranges", each, "a pair (first, last) of ports from 1 to 65535")

    def cache_key(self) -> str:
        """Return a digest of what is started, and how: what the project declares, and this configuration.

        Raises:
            SettingError: The declarations are damaged.
        """
        root = project_root().resolve()
        values = [getattr(self, each.name) for each in fields(self)]
        return hashlib.sha256(repr([root, read_project(root), values]).encode()).hexdigest()


def _is_range(value: Any) -> bool:
    if not (isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(port, int) for port in value)):
        return False
    first, last = value
    return bool(1 <= first <= last <= 65535)


def _require(is_right: bool, name: str, value: Any, expected: str) -> None:
    if not is_right:
        raise SettingError(f"LauncherConfig: {name} = {value!r}; it is {expected}")
