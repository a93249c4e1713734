"""Say how the running services of this project are, from a second terminal.

They are found by their discovery files (docs/development.md), and asked: their health URL, or else their port, and
the process that runs them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from typing import TYPE_CHECKING

from realservices.cli.exit_codes import EXIT_ERROR, EXIT_OK
from realservices.cli.places import discovery_directory
from realservices.cli.running import Running
from realservices.contract.errors import RealServicesError
from realservices.contract.terminal_text import as_text
from realservices.control.client import BlockingServiceControl
from realservices.control.console import Console, shown_duration
from realservices.dev.discovery import ServiceDiscovery
from realservices.dev.errors import DamagedDiscoveryError, UnknownServiceError
from realservices.dev.health import complaint_of
from realservices.dev.threads import in_thread
from realservices.sources.project import project_root
from realservices.system.processes import is_alive

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from realservices.cli.running import Run
    from realservices.control.client import ServiceStatus
    from realservices.dev.discovery import ServiceInfo

HELP = "say how the running services are"
EPILOG = "Exit codes: 0 all services are healthy, 1 one is not or nothing runs, 2 wrong usage, 130 interrupted."
_VERSION = 1
_CONTROL_TIMEOUT_S = 5.0
_HEALTHY = "healthy"
_START = "`python -m realservices up`"
_REMEDIES = {
    "stale": f"{_START} replaces the file, `python -m realservices clean` removes it",
    "damaged": "remove the file",
    "failed": f"`python -m realservices logs NAME` has all that it wrote; Ctrl-C and {_START} again start it anew",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """How a service is.

    Attributes:
        name: The service's name.
        state: ``healthy``, ``unhealthy`` (it does not answer as it should), ``failed`` (it has ended), ``stopped`` or
            ``paused`` (somebody wished so), ``starting``, ``stale`` (whoever started it was killed), ``damaged`` (its
            file).
        url: Where it is, without password.
        detail: What is wrong. Empty: nothing.
        remedy: What to do about that.
        pid: Its process, 0: unknown.
        uptime_s: For how long it has served, None: unknown, or it does not serve.
        kind: Its kind.
        ports: Its ports by name.
        log: Path of its log.
    """

    name: str
    state: str
    url: str = ""
    detail: str = ""
    remedy: str = ""
    pid: int = 0
    uptime_s: float | None = None
    kind: str = ""
    ports: dict[str, int] = dataclasses.field(default_factory=dict)
    log: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: there are none of its own."""


def run(options: argparse.Namespace) -> int:
    """Ask, and say."""
    root = project_root()
    console = Console()
    discovery = ServiceDiscovery(discovery_directory(root))
    running = Running(root).find()
    conditions = asyncio.run(_conditions(discovery))
    is_well = bool(conditions) and all(each.state == _HEALTHY for each in conditions) and not _is_starting(running)
    if options.json:
        console.json(_as_json(is_well, discovery.discovery_dir, running, conditions))
    else:
        _print(console, discovery.discovery_dir, running, conditions)
    return EXIT_OK if is_well else EXIT_ERROR


def _is_starting(running: Run | None) -> bool:
    return running is not None and not running.is_up


async def _conditions(discovery: ServiceDiscovery) -> list[Condition]:
    return list(await asyncio.gather(*(_condition(discovery, name) for name in discovery.names())))


async def _condition(discovery: ServiceDiscovery, name: str) -> Condition:
    path = discovery.discovery_dir / f"{name}.json"
    try:
        info = discovery.read(name)
    except DamagedDiscoveryError as error:
        return _ill(Condition(name, "damaged"), "damaged", str(error))
    except UnknownServiceError:
        return Condition(name, "stopped", detail="it has just ended")
    condition = Condition(name, _HEALTHY, info.base_url if info.port else "", kind=info.kind, ports=dict(info.ports),
                          log=info.log)  # fmt: skip
    if info.pid and not is_alive(info.pid, info.started):
        return _ill(condition, "stale", f"process {info.pid}, which started it, has ended without removing {path}")
    status = await _status(info)
    if status and status.state != "ready":
        return _ill(condition, status.state, status.error)
    condition = dataclasses.replace(condition, pid=(status.pid if status else 0) or 0)
    complaint = await complaint_of(info, 0)
    if complaint:
        return _ill(condition, "unhealthy", complaint)
    uptime_s = round(max(0.0, time.time() - info.ready_at), 1) if info.ready_at else None
    return dataclasses.replace(condition, uptime_s=uptime_s)


def _ill(condition: Condition, state: str, detail: str) -> Condition:
    remedy = _REMEDIES.get(state, "").replace("NAME", condition.name)
    return dataclasses.replace(condition, state=state, detail=detail, remedy=remedy)


async def _status(info: ServiceInfo) -> ServiceStatus | None:
    """Return what whoever runs a service says of it, if there is such a one."""
    if not info.control:
        return None
    try:
        return (await in_thread(functools.partial(_states, info.control))).get(info.name)
    except RealServicesError:
        return None  # It is just ending, or does not answer: what the service itself says counts.


def _states(control: str) -> dict[str, ServiceStatus]:
    return BlockingServiceControl(control).status(timeout_s=_CONTROL_TIMEOUT_S)


def _as_json(is_well: bool, directory: Path, running: Run | None, conditions: Sequence[Condition]) -> dict[str, object]:
    up = None
    if running:
        up = {"pid": running.pid, "since": running.since, "state": "up" if running.is_up else "starting"}
    return {
        "version": _VERSION,
        "verdict": "ok" if is_well else "error",
        "discovery": str(directory),
        "up": up,
        "services": [dataclasses.asdict(each) for each in conditions],
    }


def _print(console: Console, directory: Path, running: Run | None, conditions: Sequence[Condition]) -> None:
    if running and not running.is_up:
        console.line(f"{console.coloured('…', 'yellow')} `up` is still starting services: {running.words}")
    elif not conditions:
        console.line(f"nothing runs here: {directory} has no discovery file. {_START} starts this project's services")
    names, urls = (max([0, *(len(text) for text in texts)]) for texts in (
        [as_text(each.name) for each in conditions], [_shown_url(each) for each in conditions]
    ))  # fmt: skip
    for each in conditions:
        mark = console.coloured("✓", "green") if each.state == _HEALTHY else console.coloured("✗", "red")
        facts = [f"process {each.pid}"] if each.pid else []
        facts += [f"up {shown_duration(each.uptime_s)}"] if each.uptime_s is not None else []
        name, state = as_text(each.name), as_text(each.state)
        shown = f"{mark} {name:<{names}}  {_shown_url(each):<{urls}}  {state:<9}  {', '.join(facts)}"
        console.line(shown.rstrip())
        for text in (each.detail, f"→ {each.remedy}" if each.remedy else ""):
            console.paragraph(text, names + 4)


def _shown_url(condition: Condition) -> str:
    return as_text(condition.url) or "(no port)"
