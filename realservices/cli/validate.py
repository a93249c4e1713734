"""Use every service of this project as a test would: make an environment, write, read, and look whether it is isolated.

Services are found as the fixtures find them: those of a launcher, those that TEST_*_HOST names, else a session's own.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from realservices.cli.exit_codes import EXIT_ERROR, EXIT_OK
from realservices.cli.validated_kind import TABLE, expect, validated_kind
from realservices.clients.errors import WebSocketConnectError
from realservices.contract.errors import RealServicesError
from realservices.control.console import Console
from realservices.isolated_environment_manager import get_isolated_environment_manager
from realservices.isolation.isolation_manager import process_manager
from realservices.isolation.resources import FILESYSTEM, kind_of
from realservices.kinds.registry import find, names
from realservices.sources.errors import MissingServiceError
from realservices.sources.project import project_root

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable

    from realservices.isolated_environment_manager import IsolatedEnvironmentManager
    from realservices.kinds.kind import Kind

HELP = "use every service of this project as a test would"
_VERSION = 1
_TIMEOUT_S = 120.0
_MARKS = {"ok": ("✓", "green"), "missing": ("-", "yellow"), "failed": ("✗", "red")}
_SAME = "built twice: the same bytes"
_WANT_ACCOUNT = (401, 403)


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What became of one resource.

    Attributes:
        id: The environment's key, or ``environment``.
        state: ``ok``, ``missing`` (it is not declared or not installed) or ``failed``.
        detail: What was seen, or why not.
        elapsed_ms: How long it took, the service's start included.
    """

    id: str
    state: str
    detail: str
    elapsed_ms: float


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--require", action="append", default=[], choices=_uses(), metavar="RESOURCE",
        help=f"fail if it is not there; one of {', '.join(_uses())}; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--reproducible", action="store_true",
        help="build the template of each database twice instead, and say what differs",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Use everything, say how it went, and return 1 if something failed."""
    console = Console()
    if options.reproducible:
        steps = _rebuild(console, options.json)
    else:
        steps = asyncio.run(_validate(console, options.json, options.require))
    failed = [step for step in steps if step.state == "failed"]
    if options.json:
        content = [dataclasses.asdict(step) for step in steps]
        console.json({"version": _VERSION, "verdict": "error" if failed else "ok", "steps": content})
    else:
        console.line(f"{_mark('failed', console)} {len(failed)} failed" if failed else
                     f"{_mark('ok', console)} everything that is here works")  # fmt: skip
    return EXIT_ERROR if failed else EXIT_OK


def _rebuild(console: Console, quiet: bool) -> list[Step]:
    """Build the templates of a project twice each."""
    from realservices.cli.rebuilt import rebuild, services_with_templates  # noqa: PLC0415 - for this option only

    root = project_root()
    steps: list[Step] = []
    for declaration in services_with_templates(root):
        console.progress(f"{declaration.name} …")
        begin = time.monotonic()
        try:
            difference = rebuild(declaration)
        except RealServicesError as failed:
            difference = str(failed)
        state, detail = ("failed", difference) if difference else ("ok", _SAME)
        steps.append(Step(declaration.name, state, detail, (time.monotonic() - begin) * 1000))
        console.progress("")
        if not quiet:
            _print(steps[-1], console)
    return steps or [Step("templates", "missing", f"{root} declares no service that has one", 0.0)]


async def _validate(console: Console, quiet: bool, required: list[str]) -> list[Step]:
    manager = get_isolated_environment_manager()
    steps: list[Step] = []
    try:
        await manager.initialize()
        insists = process_manager().services.are_required
        present = list(manager.create_test_environment("validate"))
        for resource in _uses():
            console.progress(f"{resource} …")
            step = await _step(manager, resource, resource in present)
            if step.state == "missing" and (resource in required or (insists and resource in present)):
                step = dataclasses.replace(step, state="failed")
            steps.append(step)
            console.progress("")
            if not quiet:
                _print(step, console)
    finally:
        await manager.shutdown()
    return steps


async def _step(manager: IsolatedEnvironmentManager, resource: str, is_present: bool) -> Step:
    if not is_present:
        return Step(resource, "missing", "no service that gives this is declared", 0.0)
    begin = time.monotonic()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            state, detail = "ok", await _use(manager, resource)
    except MissingServiceError as missing:
        state, detail = "missing", str(missing)
    except TimeoutError:
        state, detail = "failed", f"no answer within {_TIMEOUT_S:.0f} s"
    except Exception as failed:  # noqa: BLE001 - whatever a client library raises is the answer to the question
        state, detail = "failed", f"{type(failed).__name__}: {failed}"
    return Step(resource, state, detail, (time.monotonic() - begin) * 1000)


async def _use(manager: IsolatedEnvironmentManager, resource: str) -> str:
    """Use a resource as one test would, then look for what that has left as the next test would."""
    kind = kind_of(resource)
    validated = validated_kind(kind.name) if kind else None
    async with manager.create_test_environment("validate", [resource]) as resources:
        if kind and validated and validated.spares_servers and _is_servers(kind):
            return await validated.use_servers(resources[resource])
        detail = await (validated.use if validated else _OTHER_USES[resource])(resources[resource])
    if validated is None and resource != FILESYSTEM:
        return detail
    async with manager.create_test_environment("validate, the next test", [resource]) as resources:
        is_seen = validated.is_seen if validated else _is_file_seen
        expect("what the next test sees of it", await is_seen(resources[resource]), False)
    return f"{detail}, unseen by the next test"


def _uses() -> list[str]:
    """Return what is used: the first key of each kind, and the others."""
    kinds = [next(iter(kind.resources)) for kind in map(find, names()) if kind.validated]
    return [*kinds, *_OTHER_USES]


def _is_servers(kind: Kind) -> bool:
    """Return whether a test's database is one that running servers have open: a test must leave its tables alone."""
    manager = process_manager()
    return manager.services.names(kind.name)[0] in manager.servers.names


def _print(step: Step, console: Console) -> None:
    time_taken = f"{step.elapsed_ms:6.0f} ms" if step.state != "missing" else " " * 9
    console.line(f"{_mark(step.state, console)} {step.id:<10} {time_taken}  {step.detail}")


def _mark(state: str, console: Console) -> str:
    return console.coloured(*_MARKS[state])


# What a test does with each resource, and how the next one looks for what was done


async def _use_http(http: Any) -> str:
    url = urlsplit(http.base_url)  # It may have a password in it.
    return f"{url.hostname}:{url.port} answers GET / with {(await http.get('/')).status_code}"


async def _use_websocket(websocket: Any) -> str:
    try:
        await websocket.reconnect()
    except WebSocketConnectError as error:
        status = getattr(getattr(error.__cause__, "response", None), "status_code", 0)
        if status not in _WANT_ACCOUNT:
            raise
        return f"answers with status {status}: it wants somebody who is logged in"
    return "connected"


async def _use_llm(llm: Any) -> str:
    return f"models: {', '.join(await llm.models()) or 'none'}"


async def _use_filesystem(files: Any) -> str:
    await files.create_file(f"{TABLE}/file.txt", "content")
    expect("what was written", await files.read_file(f"{TABLE}/file.txt"), "content")
    return "written, read"


async def _is_file_seen(files: Any) -> bool:
    return bool(await files.exists(TABLE))


_OTHER_USES: dict[str, Callable[[Any], Awaitable[str]]] = {
    "http": _use_http,
    "websocket": _use_websocket,
    "filesystem": _use_filesystem,
    "llm": _use_llm,
}
