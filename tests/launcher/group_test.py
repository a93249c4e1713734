"""A group of services from its start to Ctrl-C: addresses, fixed ports, failures, and that nothing is left."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from realservices.host.blocks import BLOCK_SIZE
from realservices.host.process_tags import tagged
from realservices.host.slots import acquire_slot
from tests.host.ports import free_port
from tests.host.running import Running
from tests.launcher.executables import PORT, executable
from tests.launcher.executables import port as named
from tests.launcher.family import children
from tests.launcher.grouped import DEADLINE_S, LABEL, Group
from tests.launcher.launched import postgres, redis
from tests.services.queries import sql

_READY = f"^{LABEL} is ready"


@pytest.fixture
def group(template: Path) -> Iterator[Group]:
    with Group([postgres(), redis()], template=template) as declared:
        yield declared


def _await_ends(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        ready, _, _ = select.select([descriptor], [], [], DEADLINE_S)
        os.close(descriptor)
        assert ready, "a process still runs"


def _private(run: Running) -> Path:
    """Return the launcher's private directory, whose name its processes bear as their mark."""
    own = set(children(run.pid))
    directories = Path("/tmp").glob("realservices-*/run.*")
    (private,) = [path for path in directories if own <= set(tagged(path.suffix.removeprefix(".")))]
    return private


def test_each_service_has_a_line_with_its_url_and_serves(group: Group) -> None:
    with group.start() as run:
        run.await_output(_READY)
        url = run.await_output(r"^db     (postgresql://test:\w+@127\.0\.0\.1:\d+/test\S*)  ready in \d+ ms$")[1]
        run.await_output(r"^cache  redis://:\w+@127\.0\.0\.1:\d+/0  ready in \d+ ms$")
        assert sql(url, "SELECT name FROM items") == "seeded"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_nothing_is_left(group: Group, number: signal.Signals) -> None:
    with group.start() as run:
        run.await_output(_READY)
        private = _private(run)
        ends = [os.pidfd_open(pid) for pid in children(run.pid)]
        run.signal(number)
        assert run.wait() == 0
        _await_ends(ends)
    assert f"{LABEL} has ended" in run.output
    assert not private.exists()


def test_nothing_is_left_when_it_is_killed(group: Group) -> None:
    with group.start() as run:
        run.await_output(_READY)
        private = _private(run)
        ends = [os.pidfd_open(pid) for pid in children(run.pid)]
        assert len(ends) == 3
        run.signal(signal.SIGKILL)
        _await_ends(ends)
        assert run.wait() == -signal.SIGKILL
    assert not private.exists()


def test_it_can_be_started_again_after_it_was_killed(group: Group) -> None:
    with group.start() as run:
        run.await_output(_READY)
        ends = [os.pidfd_open(pid) for pid in children(run.pid)]
        run.signal(signal.SIGKILL)
        _await_ends(ends)
    with group.start() as run:
        run.await_output(_READY)


def test_it_runs_once_at_a_time(group: Group) -> None:
    with group.start() as run:
        run.await_output(_READY)
        code, output = group.run()
        assert code == 1
        assert f"realservices: {LABEL} runs already" in output


def test_a_service_is_on_the_port_that_was_asked_for() -> None:
    port = free_port()
    app = executable("app", "listen", named("http"), "listen", named("admin"), ports=("http", "admin"))
    with Group([redis(), app], ports={"cache": port, "app": free_port()}) as group:
        for _ in range(2):
            with group.start() as run:
                run.await_output(_READY)
                assert f"@127.0.0.1:{port}/0  ready in " in run.output
                run.signal(signal.SIGINT)
                assert run.wait() == 0


def test_a_taken_port_is_told_with_the_process_that_has_it() -> None:
    with socket.socket() as listener, Group([redis()], ports={"cache": 0}) as group:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        group.declare([redis()], {"cache": port})
        code, output = group.run()
    name = Path("/proc/self/comm").read_text("utf-8").strip()
    assert code == 1
    assert f"port {port} is taken by {name} (process {os.getpid()})" in output


def test_a_port_that_a_test_may_lease_is_kept_from_tests(tmp_path: Path) -> None:
    first = _free_block()
    block = f"{first}-{first + BLOCK_SIZE - 1}"
    settings = {"REALSERVICES_PORT_RANGE": block, "REALSERVICES_REGISTRY": str(tmp_path / "registry")}
    settings["TEST_TIMEOUT"] = "1"  # Half of it is how long the block is waited for.
    with (
        Group([redis()], ports={"cache": first + 3}) as group,
        Group([redis()], ports={"cache": first + 7}) as other,
        Group([redis()]) as leasing,
        group.start(env=settings) as run,
    ):
        run.await_output(_READY)
        code, output = other.run(env=settings)
        assert code == 1
        assert f"ports {block} are held by a test that runs or by another group" in output
        code, output = leasing.run(env=settings)
        assert code == 1
        assert "no free block of 16 ports" in output


def test_a_service_that_does_not_start_ends_it_with_its_log() -> None:
    with Group([redis(), executable("app", "print", "no such table", "exit", "3")]) as group:
        code, output = group.run()
    assert code == 1
    assert f"realservices: {LABEL}: service 'app' (//app:app) exited with code 3" in output
    assert "    no such table" in output
    assert "is ready" not in output


def test_a_service_that_dies_later_is_told_at_once_and_the_others_go_on() -> None:
    services = [redis(), executable("app", "print", "last words", "listen", PORT)]
    with Group(services) as group, group.start() as run:
        run.await_output(_READY)
        (pid,) = [pid for pid in children(run.pid) if b"server.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(pid, signal.SIGKILL)
        run.await_output(r"^realservices: service 'app' \(//app:app\) was killed by SIGKILL while the group ran")
        run.await_output("    last words")
        run.signal(signal.SIGINT)
        assert run.wait() == 0


def test_logs_are_shown_on_demand_with_the_services_name() -> None:
    with Group([executable("app", "print", "hello", "listen", PORT), redis()]) as group:
        with group.start("--logs") as run:
            run.await_output(r"^app    \| hello$")
            run.await_output(r"^cache  \| .*Ready to accept connections")
            run.signal(signal.SIGINT)
            run.wait()
        with group.start() as run:
            run.await_output(_READY)
            assert "|" not in run.output


def test_wrong_words_are_answered_with_the_right_ones(group: Group) -> None:
    code, output = group.run("strat")
    assert code == 64
    assert f"usage: bazel run {LABEL}" in output


def _free_block() -> int:
    """Return the first port of a block that nobody holds now."""
    slot = acquire_slot(1)
    slot.release()
    return slot.ports[0] - slot.ports[0] % BLOCK_SIZE
