"""Ends asked for from outside: Bazel's time-out, Ctrl-C, and whatever a program leaves running."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

import pytest

from tests.launcher.launched import DEADLINE_S, Launched, postgres, redis

# It runs, but the database that a probe asks for is not there.
_NEVER_READY = {**postgres(), "config": {**postgres()["config"], "database": "missing"}}


def test_a_time_out_ends_program_and_services_and_is_explained(tmp_path: Path, template: Path) -> None:
    env = {"TEST_TIMEOUT": "60"}
    with Launched(tmp_path / "run", [postgres(), redis()], template=template, env=env) as launched:
        ends = _watched(launched)
        launched.signal(signal.SIGTERM)
        assert launched.wait() == 128 + signal.SIGTERM
        _await_ends(ends)
        assert launched.output.startswith("\nrealservices: //app:app_test: ended by SIGTERM after ")
        assert " s; the test's time-out is 60 s\nrealservices: services ready after " in launched.output
        assert sorted(path.name for path in (launched.directory / "outputs").iterdir()) == [
            "cache.log",
            "db.log",
            "services.json",
        ]
        assert "ended by SIGTERM" in launched.written("test.xml")
        assert not (launched.directory / "premature_exit").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_other_signals_end_it_too(tmp_path: Path, number: signal.Signals) -> None:
    with Launched(tmp_path / "run", [redis()], env={"TEST_TIMEOUT": "60"}) as launched:
        ends = _watched(launched)
        launched.program.tell("ignore", signal=signal.SIGUSR1)
        launched.signal(number)
        assert launched.wait() != 0
        _await_ends(ends)
        assert f"ended by {number.name} after " in launched.output
        assert "time-out" not in launched.output


def test_a_program_that_handles_the_signal_may_finish_its_work(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        launched.program.do("ignore", signal=signal.SIGTERM)
        launched.signal(signal.SIGTERM)
        # Its service is still there.
        launched.await_state("cache", "ready")
        launched.program.do("log", text="finished my work")
        # A test that was timed out has not passed, whatever it says.
        assert launched.finish(0) == 1
        assert "finished my work" in launched.output
        assert "ended by SIGTERM" in launched.output


def test_a_program_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        launched.program.do("ignore", signal=signal.SIGTERM)
        begin = time.monotonic()
        launched.signal(signal.SIGTERM)
        assert launched.wait() == 128 + signal.SIGKILL
        # Bazel kills 15 s after its SIGTERM, and what is left must be cleaned up before that.
        assert time.monotonic() - begin < 14
        assert "ended by SIGTERM" in launched.output


def test_a_second_signal_kills_at_once(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        for number in (signal.SIGTERM, signal.SIGINT):
            launched.program.do("ignore", signal=number)
        begin = time.monotonic()
        launched.signal(signal.SIGTERM)
        launched.await_state("cache", "ready")
        launched.signal(signal.SIGINT)
        assert launched.wait() == 128 + signal.SIGKILL
        assert time.monotonic() - begin < 7


def test_a_time_out_before_the_program_has_started(tmp_path: Path, template: Path) -> None:
    with Launched(tmp_path / "run", [_NEVER_READY], template=template) as launched:
        launched.await_service("postgres")
        begin = time.monotonic()
        launched.signal(signal.SIGTERM)
        assert launched.wait() == 128 + signal.SIGTERM
        assert time.monotonic() - begin < 7
        assert "ended by SIGTERM" in launched.output
        assert not (launched.directory / "premature_exit").exists()


def test_a_signal_during_the_very_first_moments_leaves_nothing(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        launched.signal(signal.SIGTERM)
        assert launched.wait() in (-signal.SIGTERM, 128 + signal.SIGTERM)
        assert list((launched.directory / "tmp").iterdir()) == []


@pytest.mark.parametrize("restless", [False, True])
@pytest.mark.parametrize("code", [0, 1])
def test_daemons_are_killed_at_the_end(tmp_path: Path, code: int, restless: bool) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        daemon = launched.program.do("daemonize", restless=restless)["pid"]
        ends = [] if restless else [os.pidfd_open(daemon)]
        mark = f"REALSERVICES_RUNTIME={launched.program.environment['REALSERVICES_RUNTIME']}".encode()
        assert launched.finish(code) == code
        _await_ends(ends)
        assert _marked(mark) == []


def test_daemons_are_killed_after_a_time_out(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        ends = [os.pidfd_open(launched.program.do("daemonize", restless=False)["pid"])]
        launched.signal(signal.SIGTERM)
        launched.wait()
        _await_ends(ends)


def _watched(launched: Launched) -> list[int]:
    with launched.control() as control:
        pids = [service["pid"] for service in control.ask("status")["services"].values()]
    return [os.pidfd_open(pid) for pid in (*pids, launched.program.pid)]


def _await_ends(descriptors: list[int]) -> None:
    """Wait until the processes are gone, and close the descriptors."""
    for descriptor in descriptors:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(DEADLINE_S * 1000), "a process still runs"
        os.close(descriptor)


def _marked(mark: bytes) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
        except OSError:
            continue
    return found
