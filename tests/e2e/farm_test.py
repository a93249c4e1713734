"""The example on a build farm: BuildGrid, whose queue is in a PostgreSQL of ours, and two workers of buildbox.

A part of it as root without capabilities; with FARM_FULL in the environment all of it, also as nobody, and with a
worker that is killed in the middle of an action. Templates are built there, too.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from realservices.actions.execution_log import read_log
from tests.e2e.bazel_results import results
from tests.scratch import ROOT, Workspace, copy_of_the_example

_DEADLINE_S = 900.0
_IS_FULL = bool(os.environ.get("FARM_FULL"))
# Without services, with each, and with servers of the example's own.
_PART = ["//auth:tokens_test", "//auth:users_test", "//auth:sessions_test", "//auth:server_test"]
# How many files a remote action may have, and PostgreSQL and Redis add to it at most.
_FILES, _FILES_OF_SERVICES = 150, 300
# As docs/remote.md has them.
_OPTIONS = [
    "--@rules_realservices//rules:remote",
    "--incompatible_strict_action_env",
    "--nolegacy_external_runfiles",
    "--remote_timeout=120",
    "--experimental_build_event_upload_strategy=local",
    "--remote_local_fallback=false",
    "--jobs=4",
]
# What the machine lacks for a farm, as tools/farm says it. Anything else that keeps one from serving is a failure.
_LACKS = re.compile(
    r"cannot install the packages|apt-get could not install|missing .*(mmdebstrap|bubblewrap)|runs on Linux only"
    r"|bubblewrap cannot make a namespace|mmdebstrap failed|not enough disk space"
)


class Farm:
    """A farm that serves.

    Attributes:
        executor: Its address.
        workers: The process ids of its workers.
    """

    def __init__(self, described: str) -> None:
        answer = json.loads(described)
        self.executor: str = answer["executor"]
        self.workers: list[int] = answer["workers"]

    def options(self, *more: str) -> list[str]:
        """Return Bazel's options for it."""
        return [f"--remote_executor={self.executor}", *_OPTIONS, *more]


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """A farm of its own for each test, with an empty cache."""
    log = tmp_path / "farm.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [ROOT / "tools" / "farm", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        try:
            select.select([process.stdout], [], [], _DEADLINE_S)
            described = process.stdout.readline()
            words = log.read_text(encoding="utf-8", errors="replace")
            if not described and _LACKS.search(words):
                pytest.skip(f"this machine has not what a farm takes: {words.strip()}")
            assert described, words
            yield Farm(described)
        finally:
            process.stdin.close()
            process.wait(60)


@pytest.fixture
def monorepo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A copy of the example that has never been built: Bazel would look in another farm for what it has built in one."""
    workspace = copy_of_the_example(tmp_path_factory.mktemp("monorepo"))
    yield workspace
    workspace.end()


def _run(workspace: Workspace, *arguments: str) -> str:
    done = workspace.bazel("test", *arguments, timeout_s=_DEADLINE_S)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    found = results(output)
    assert {status for _, status in found.values()} == {"PASSED"}, output
    assert not any(cached for cached, _ in found.values())
    assert int(re.findall(r"processes: .*\b(\d+) remote", output)[-1]) > len(found)
    assert "linux-sandbox" not in output
    return output


def test_a_part_of_the_example_as_root_without_capabilities(monorepo: Workspace, farm: Farm, tmp_path: Path) -> None:
    log = tmp_path / "actions.json"
    output = _run(monorepo, *_PART, *farm.options(f"--execution_log_json_file={log}"))
    assert len(results(output)) == len(_PART)
    files = {action.name.target: len(action.inputs) for action in read_log(log) if action.name.mnemonic == "TestRunner"}
    without, *others = (files[label] for label in _PART)
    assert 0 < without <= _FILES
    assert max(others) - without <= _FILES_OF_SERVICES


@pytest.mark.skipif(not _IS_FULL, reason="takes ten minutes: set FARM_FULL")
@pytest.mark.parametrize("properties", [[], ["--remote_default_exec_properties=unixUID=65534"]], ids=["root", "nobody"])
def test_the_whole_example(monorepo: Workspace, farm: Farm, properties: list[str]) -> None:
    everything = set(monorepo.output_of("query", "tests(//...)").split())
    assert set(results(_run(monorepo, "//...", *farm.options(*properties)))) == everything


@pytest.mark.skipif(not _IS_FULL, reason="takes minutes: set FARM_FULL")
def test_a_killed_worker_loses_nothing(monorepo: Workspace, farm: Farm) -> None:
    killed: list[int] = []
    watch = threading.Thread(target=_kill_when_busy, args=(farm.workers[0], killed), daemon=True)
    watch.start()
    output = _run(monorepo, "//auth/...", *farm.options())
    assert killed == farm.workers[:1], "no action has been run by the first worker"
    assert len(results(output)) >= len(_PART)


def _kill_when_busy(worker: int, killed: list[int]) -> None:
    """Kill a worker while a test runs below it."""
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        if any("test-setup.sh" in words for words in _commands_below(worker)):
            os.kill(worker, signal.SIGKILL)
            killed.append(worker)
            return
        time.sleep(0.01)


def _commands_below(pid: int) -> Iterator[str]:
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                yield from _commands_below(int(child))
    except OSError:
        return  # It has ended.
