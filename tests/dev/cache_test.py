"""`ServiceCache`: the same launcher for the same wish, services that run in the next process, nothing that is ill."""

from __future__ import annotations

import json
import shutil
import tempfile
from typing import TYPE_CHECKING

import pytest

from realservices.system.warm_pool import waiting_sessions
from tests.dev.project import Project
from tests.sources.warm_pool import await_waiting, end_waiting, pids

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIDS = """
    import os
    from realservices.control.client import BlockingServiceControl
    from realservices.service_cache import ServiceCache

    def pids():
        control = BlockingServiceControl(os.environ["REALSERVICES_SESSION"] + "/control.sock")
        return {name: each.pid for name, each in control.status().items()}
"""


@pytest.fixture
def kept(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project whose services may be kept, in a registry of its own."""
    registry = tempfile.mkdtemp(prefix="rsw.", dir="/tmp")
    project.environment["REALSERVICES_REGISTRY"] = registry
    monkeypatch.setenv("REALSERVICES_REGISTRY", registry)
    project.declare(
        auth='inputs = ["realservices.toml"]', backend='services = ["auth"]\ninputs = ["realservices.toml"]'
    )
    yield project
    end_waiting()
    shutil.rmtree(registry)


def test_the_same_wish_is_the_same_launcher(kept: Project) -> None:
    kept.output(
        _PIDS
        + """
    async def main():
        first, second = await asyncio.gather(*(ServiceCache.get_or_create(LauncherConfig()) for _ in range(2)))
        assert first is second is await ServiceCache.get_or_create()
        assert sorted(first.endpoints) == ["auth", "backend"]
        other = await ServiceCache.get_or_create(LauncherConfig(services=("auth",)))
        assert other is not first and sorted(other.endpoints) == ["auth"]
        await ServiceCache.close()
        assert not first.endpoints
        third = await ServiceCache.get_or_create()
        assert third is not first
    """
    )


def test_the_key_tells_what_is_started(kept: Project) -> None:
    script = """
    async def main():
        print(LauncherConfig().cache_key(), LauncherConfig(services=("auth",)).cache_key())
    """
    first = kept.output(script)
    assert first == kept.output(script)
    assert len(set(first.split())) == 2
    kept.declare(auth="")
    assert not set(first.split()) & set(kept.output(script).split())


def test_the_next_process_finds_services_that_run(kept: Project) -> None:
    script = (
        _PIDS
        + """
    async def main():
        launcher = await ServiceCache.get_or_create()
        await launcher.wait_for_healthy()
        print(json.dumps(pids()))
        {end}
    """
    )
    used: dict[str, int] = {}
    for end in ("", "await ServiceCache.close()", "sys.stdout.flush(); os._exit(0)"):
        found: dict[str, int] = json.loads(kept.output(script.replace("{end}", end)))
        assert found == used or not used
        used = pids(await_waiting("auth", "backend"))


def test_services_that_died_are_replaced(kept: Project) -> None:
    kept.output(
        _PIDS
        + """
    async def main():
        first = await ServiceCache.get_or_create()
        os.kill(pids()["auth"], signal.SIGKILL)
        second = await ServiceCache.get_or_create()
        assert second is not first and not first.endpoints
        await second.wait_for_healthy()
    """
    )


def test_a_service_that_does_not_start(kept: Project) -> None:
    kept.declare(auth='args = "--ends"')
    error = kept.error(
        _PIDS
        + """
    async def main():
        await ServiceCache.get_or_create()
    """
    )
    assert "StartupError: service 'auth'" in error


def test_who_wants_nothing_kept_has_his_way(kept: Project) -> None:
    kept.output(
        _PIDS
        + """
    async def main():
        await ServiceCache.get_or_create()
    """,
        REALSERVICES_WARM="0",
    )
    assert waiting_sessions() == []
