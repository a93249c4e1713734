"""Keeps services warm for test actions, as a developer does in another terminal: `bazel run …//tools:warm`.

Its registry is its own: whoever measures may have services that wait, too, and nothing of this is left afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.bazel import Bazel
from bench.errors import BenchError
from realservices.contract.offers import end_offer, look_at, present_offers

_PROGRAM = "@rules_realservices//tools:warm"
_SAYS = "keeping services warm"
_REGISTRY = "REALSERVICES_REGISTRY"
# Bazel's sandbox gives each action a /tmp of its own, but shares this.
_SHARED = Path("/dev/shm")  # noqa: S108 - mkdtemp makes an unguessable name in it
_DEADLINE_S, _PAUSE_S = 60.0, 0.02


@contextlib.contextmanager
def keeping_warm(bazel: Bazel) -> Iterator[dict[str, int | str]]:
    """Give the environment of tests that find a keeper, for as long as there is one.

    Raises:
        BenchError: It does not start.
    """
    with _own_registry() as registry:
        log = Path(registry, "keeper.log")
        process = bazel.start(_PROGRAM, {_REGISTRY: registry}, log)
        try:
            _await_start(process, log)
            yield {_REGISTRY: registry}
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)  # As Ctrl-C does: to all that the terminal runs.
            process.wait()
            for name in present_offers():  # Of a keeper that was killed.
                end_offer(name)


def await_service(name: str) -> None:
    """Wait until a service of this name is ready for the next test, and nothing else is being started.

    Raises:
        BenchError: That does not come to be.
    """
    deadline = time.monotonic() + _DEADLINE_S
    offered: list[dict[str, dict[str, object]]] = []
    while time.monotonic() < deadline:
        offered = [json.loads(found)["services"] for found in map(look_at, present_offers()) if found]
        states = {each["state"] for services in offered for each in services.values()}
        if states == {"ready"} and any(name in services for services in offered):
            return
        time.sleep(_PAUSE_S)
    raise BenchError(f"{_PROGRAM} has no {name} ready after {_DEADLINE_S:.0f} s; it offers {offered}")


@contextlib.contextmanager
def _own_registry() -> Iterator[str]:
    registry = tempfile.mkdtemp(prefix="rsb.", dir=_SHARED if _SHARED.is_dir() else None)
    before = os.environ.get(_REGISTRY)
    os.environ[_REGISTRY] = registry
    try:
        yield registry
    finally:
        os.environ.pop(_REGISTRY)
        if before is not None:
            os.environ[_REGISTRY] = before
        shutil.rmtree(registry)


def _await_start(process: subprocess.Popen[bytes], log: Path) -> None:
    while _SAYS not in (said := log.read_text(encoding="utf-8", errors="replace")):
        if process.poll() is not None:
            raise BenchError(f"{_PROGRAM} ended with code {process.returncode}:\n{said}")
        time.sleep(_PAUSE_S)
