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
from realservices.cli.places import discovery_directory, up_record
from realservices.contract.errors import RealServicesError
from realservices.control.client import BlockingServiceControl
from realservices.control.conditions import HEALTHY, Condition, print_conditions
from realservices.control.console import Console
from realservices.dev.discovery import ServiceDiscovery
from realservices.dev.errors import DamagedDiscoveryError, UnknownServiceError
from realservices.dev.health import complaint_of
from realservices.dev.threads import in_thread
from realservices.sources.project import project_root
from realservices.system.process_ids import is_alive

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from realservices.control.client import ServiceStatus
    from realservices.control.run_record import Run
    from realservices.dev.discovery import ServiceInfo

HELP = "say how the running services are"
EPILOG = "Exit codes: 0 all services are healthy, 1 one is not or nothing runs, 2 wrong usage, 130 interrupted."
_VERSION = 1
_CONTROL_TIMEOUT_S = 5.0
_START = "`python -m realservices up`"
_REMEDIES = {
    "stale": f"{_START} replaces the file, `python -m realservices clean` removes it",
    "damaged": "remove the file",
    "failed": "`python -m realservices logs NAME` has all that it wrote, `python -m realservices restart NAME` starts "
    "it again",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: there are none of its own."""


def run(options: argparse.Namespace) -> int:
    """Ask, and say."""
    root = project_root()
    console = Console()
    discovery = ServiceDiscovery(discovery_directory(root))
    running = up_record(root).find()
    conditions = asyncio.run(_conditions(discovery))
    is_well = bool(conditions) and all(each.state == HEALTHY for each in conditions) and not _is_starting(running)
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
    condition = Condition(name, HEALTHY, info.base_url if info.port else "", kind=info.kind, ports=dict(info.ports),
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
    """Return what the process that runs a service says of it, if there is such a one."""
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
    print_conditions(console, conditions)
