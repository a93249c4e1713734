"""The launcher killed: nothing that it made may outlive it. tests/stress does this at a hundred random moments."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest

from realservices.host.sandbox import remove_tree
from tests.launcher.launched import DEADLINE_S, Launched, postgres, redis
from tests.services.queries import sql

_WITHOUT_NAMESPACES = ["--uid", "1000", "--no-user-namespaces", "--ipc", "--tmpfs", "/dev/shm"]


@pytest.mark.parametrize("enclosure", [[], _WITHOUT_NAMESPACES], ids=["on overlay", "on a copy"])
def test_processes_directories_and_locks_end_with_it(tmp_path: Path, template: Path, enclosure: list[str]) -> None:
    with Launched(tmp_path / "run", [postgres(), redis()], template=template, enclosure=enclosure) as launched:
        daemon = launched.program.do("daemonize", restless=False)["pid"]
        private = Path(launched.program.environment["REALSERVICES_RUNTIME"]).parent
        with launched.control() as control:
            pids = [service["pid"] for service in control.ask("status")["services"].values()]
        shared_memory = Path(f"/proc/{launched.guardian_pid}/root/dev/shm/realservices.{private.name}")
        assert shared_memory.exists() is bool(enclosure)
        ends = [os.pidfd_open(pid) for pid in (*pids, daemon, launched.program.pid)]
        launched.kill_and_await_guardian()
        for descriptor in ends:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            assert poll.poll(DEADLINE_S * 1000), "a process still runs"
            os.close(descriptor)
        assert not private.exists()
        assert list((tmp_path / "run" / "tmp").iterdir()) == []


def test_a_test_that_stands_on_the_same_template_is_not_disturbed(tmp_path: Path, template: Path) -> None:
    with (
        Launched(tmp_path / "one", [postgres()], template=template) as one,
        Launched(tmp_path / "two", [postgres()], template=template) as two,
    ):
        assert one.program.pid
        sql(two.endpoints["db"]["url"], "INSERT INTO items (name) VALUES ('mine')")
        one.kill_and_await_guardian()
        assert sql(two.endpoints["db"]["url"], "SELECT count(*) FROM items") == "2"
        assert two.finish() == 0


def test_a_killed_program_does_not_hold_the_launcher(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        os.kill(launched.program.pid, signal.SIGKILL)
        assert launched.wait() == 128 + signal.SIGKILL


def test_a_whole_sandbox_killed_at_once_leaves_what_the_next_test_removes(tmp_path: Path, template: Path) -> None:
    # Bazel ends a sandbox by killing its first process, and the guardian with it.
    enclosure = ["--uid", "1000", "--no-user-namespaces", "--pid"]
    with Launched(tmp_path / "run", [postgres()], template=template, enclosure=enclosure) as launched:
        private = Path(launched.program.environment["REALSERVICES_RUNTIME"]).parent
        copy = Path("/dev/shm") / f"realservices.{private.name}"
        assert copy.exists()
        with Launched(tmp_path / "other", [postgres()], template=template, enclosure=enclosure) as other:
            assert other.finish() == 0
        assert (copy / "db.data").exists(), "the copy of a launcher that runs was removed"
        launched.signal(signal.SIGKILL)
        launched.wait()
        assert copy.exists()
    with Launched(tmp_path / "next", [postgres()], template=template, enclosure=enclosure) as launched:
        assert launched.finish() == 0
    assert not copy.exists()
    # Bazel's /tmp is the sandbox's own and ends with it; here it is this test's.
    remove_tree(str(private))
