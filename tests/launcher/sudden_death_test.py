"""The launcher killed: nothing that it made may outlive it. tests/stress does this at a hundred random moments."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path
from typing import Any

import pytest

from realservices.system.removal import remove_tree
from tests.launcher.executables import PORT, executable, http
from tests.launcher.family import children
from tests.launcher.launched import DEADLINE_S, Launched, postgres, redis
from tests.services.queries import sql

_NGINX = "/usr/sbin/nginx"
_WITHOUT_NAMESPACES = ["--uid", "1000", "--no-user-namespaces", "--ipc", "--tmpfs", "/dev/shm"]


def _memory_of(private: Path) -> Path:
    """Return a launcher's directory in shared memory."""
    return Path("/dev/shm", private.parent.name, private.name.replace("run.", "memory."))


@pytest.mark.parametrize("enclosure", [[], _WITHOUT_NAMESPACES], ids=["on overlay", "on a copy"])
def test_processes_directories_and_locks_end_with_it(tmp_path: Path, template: Path, enclosure: list[str]) -> None:
    with Launched(tmp_path / "run", [postgres(), redis()], template=template, enclosure=enclosure) as launched:
        daemon = launched.program.do("daemonize", restless=False)["pid"]
        private = Path(launched.program.environment["REALSERVICES_RUNTIME"]).parent
        with launched.control() as control:
            pids = [service["pid"] for service in control.ask("status")["services"].values()]
        shared_memory = Path(f"/proc/{launched.guardian_pid}/root{_memory_of(private)}")
        assert shared_memory.exists() is bool(enclosure)
        ends = [os.pidfd_open(pid) for pid in (*pids, daemon, launched.program.pid)]
        launched.kill_and_await_guardian()
        for descriptor in ends:
            _await_end(descriptor)
        assert not private.exists()
        assert list((tmp_path / "run" / "tmp").iterdir()) == []


def _await_end(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert poll.poll(DEADLINE_S * 1000), "a process still runs"
    os.close(descriptor)


def _with_worker(directory: Path) -> dict[str, Any]:
    return executable("web", "listen", PORT, "worker", str(directory / "worker"))


def _worker(directory: Path, launched: Launched) -> int:
    """Wait for the service; return a descriptor of the worker that has left it, its session and its environment."""
    assert launched.program.pid
    return os.pidfd_open(int((directory / "worker").read_text("ascii")))


def test_a_worker_ends_with_it_that_cannot_be_told_by_parent_session_or_environment(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [_with_worker(tmp_path)]) as launched:
        worker = _worker(tmp_path, launched)
        launched.kill_and_await_guardian()
        _await_end(worker)


@pytest.mark.skipif(not os.path.exists(_NGINX), reason=f"there is no {_NGINX} (apt-get install nginx)")
def test_nginx_ends_with_it_whose_workers_outlive_their_master(tmp_path: Path) -> None:
    directory = tmp_path / "nginx"
    directory.mkdir()
    web = executable("web", "nginx", str(directory), PORT, ready=http("/"))
    with Launched(tmp_path / "run", [web]) as launched:
        with launched.control() as control:
            (master,) = [service["pid"] for service in control.ask("status")["services"].values()]
        ends = [os.pidfd_open(pid) for pid in (master, *children(master))]
        assert len(ends) == 3
        launched.kill_and_await_guardian()
        for descriptor in ends:
            _await_end(descriptor)


def test_what_outlives_launcher_and_guardian_ends_with_the_next_one(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [_with_worker(tmp_path)]) as launched:
        worker = _worker(tmp_path, launched)
        private = Path(launched.program.environment["REALSERVICES_RUNTIME"]).parent
        for pid in (launched.guardian_pid, launched.pid):
            os.kill(pid, signal.SIGKILL)
        launched.wait()
        with Launched(tmp_path / "next", []) as following:
            assert following.finish() == 0
        _await_end(worker)
        assert not private.exists()


def test_a_guardian_that_is_killed_is_worth_a_warning(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [_with_worker(tmp_path), redis()]) as launched:
        worker = _worker(tmp_path, launched)
        private = Path(launched.program.environment["REALSERVICES_RUNTIME"]).parent
        guardian = launched.guardian_pid
        os.kill(guardian, signal.SIGKILL)
        assert launched.finish() == 0
        _await_end(worker)
        assert f"the guardian (process {guardian}), which cleans up after a launcher" in launched.written("warnings")
        assert not private.exists()


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
        copy = _memory_of(private)
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
