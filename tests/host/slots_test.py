"""Slots: no port for two launchers, whatever they can or cannot see of each other, and none lost when one dies."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from realservices.contract.errors import InfrastructureError
from realservices.host.blocks import BLOCK_SIZE
from realservices.host.slots import acquire_slot, hold_ports
from tests.host import places

_HERE = Path(__file__).absolute().parent
_RANGES = Path("/proc/sys/net/ipv4/ip_local_port_range")


class Holder:
    """A process that holds a slot."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self.process = process
        answer = json.loads(process.stdout.readline())
        self.ports: list[int] = answer.get("ports", [])
        self.error: str = answer.get("error", "")


@contextmanager
def holding(
    registry: Path, port_range: str, port_count: int = 1, enclosure: list[str] | None = None
) -> Iterator[Holder]:
    """Run a holder until the block ends."""
    enclosed = [str(_HERE / "enclosure.py"), *enclosure, "--", sys.executable] if enclosure else []
    command = [sys.executable, *enclosed, str(_HERE / "holder.py"), str(port_count)]
    with subprocess.Popen(
        command,
        env={
            "PYTHONPATH": str(places.PACKAGE_ROOT),
            "REALSERVICES_REGISTRY": str(registry),
            "REALSERVICES_PORT_RANGE": port_range,
            "TEST_TIMEOUT": "1",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Holder(process)
        finally:
            if process.poll() is None:
                process.stdin.close()  # type: ignore[union-attr]
                assert process.wait(30) in (0, 1)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty registry, which this process uses too; nobody waits long for a block that is held."""
    path = tmp_path / "registry"
    monkeypatch.setenv("TEST_TIMEOUT", "1")
    monkeypatch.setenv("REALSERVICES_REGISTRY", str(path))
    return path


@pytest.fixture
def shared_memory() -> Iterator[Path]:
    """Return a directory that is seen where /tmp is private."""
    with tempfile.TemporaryDirectory(prefix="rst.", dir="/dev/shm") as path:
        yield Path(path)


@pytest.fixture
def blocks() -> Iterator[int]:
    """Return the first port of 8 blocks that nobody uses, above the ports that launchers choose by themselves."""
    size = 8 * BLOCK_SIZE
    for first in range(65536 - size, 61000, -size):
        with ExitStack() as stack:
            try:
                # Another run of these tests on this machine must choose other blocks.
                stack.enter_context(socket.socket(socket.AF_UNIX)).bind(f"\0realservices-slots-test-{first}")
                with ExitStack() as probes:
                    for port in range(first, first + size):
                        probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            yield first
            return
    raise AssertionError(f"no {size} free ports in a row above 61000")


def _range(first: int, count: int) -> tuple[int, int]:
    return first, first + count * BLOCK_SIZE - 1


def _text(first: int, count: int) -> str:
    return "{}-{}".format(*_range(first, count))


def test_ports_are_distinct_and_free(registry: Path, blocks: int) -> None:
    slot = acquire_slot(3, _range(blocks, 1))
    assert len(set(slot.ports)) == 3
    for port in slot.ports:
        assert blocks <= port < blocks + BLOCK_SIZE
        with socket.socket() as server:
            server.bind(("127.0.0.1", port))
            server.listen()
    slot.release()
    assert list((registry / "slots").iterdir()) == []


def test_more_ports_than_a_block_has(registry: Path, blocks: int) -> None:
    slot = acquire_slot(2 * BLOCK_SIZE + 3, _range(blocks, 3))
    assert len(set(slot.ports)) == 2 * BLOCK_SIZE + 3
    slot.release()


def test_no_ports_are_no_trouble(registry: Path) -> None:
    slot = acquire_slot(0)
    assert slot.ports == []
    slot.release()


def test_a_block_is_nobody_elses(registry: Path, blocks: int) -> None:
    with holding(registry, _text(blocks, 2)) as first, holding(registry, _text(blocks, 2)) as second:
        assert {port // BLOCK_SIZE for port in first.ports}.isdisjoint(port // BLOCK_SIZE for port in second.ports)
        with pytest.raises(InfrastructureError) as caught:
            acquire_slot(1, _range(blocks, 2))
    assert caught.value.component == "ports"
    assert caught.value.reason.startswith(
        f"no free block of 16 ports for 1 ports in {_text(blocks, 2)}: of 2 blocks 2 are held by other launchers and 0 have "
        "too many ports in use, after 0.5 s of waiting; set REALSERVICES_PORT_RANGE=FIRST-LAST to a wider range"
    )


def test_a_released_block_can_be_had_again(registry: Path, blocks: int) -> None:
    for _ in range(3):
        with holding(registry, _text(blocks, 1)) as holder:
            assert holder.ports


def test_the_block_of_a_killed_launcher_can_be_had_again(registry: Path, blocks: int) -> None:
    with holding(registry, _text(blocks, 1)) as holder:
        holder.process.kill()
        holder.process.wait(30)
        with holding(registry, _text(blocks, 1)) as next_holder:
            assert next_holder.ports


def test_a_foreign_listener_makes_it_the_next_block(registry: Path, blocks: int) -> None:
    with ExitStack() as foreign:
        for port in range(blocks, blocks + BLOCK_SIZE):
            foreign.enter_context(socket.create_server(("127.0.0.1", port)))
        slot = acquire_slot(1, _range(blocks, 2))
        assert slot.ports[0] >= blocks + BLOCK_SIZE
        slot.release()
        with pytest.raises(
            InfrastructureError, match="of 1 blocks 0 are held by other launchers and 1 have too many"
        ) as caught:
            acquire_slot(1, _range(blocks, 1))
    assert "of waiting" not in caught.value.reason
    assert list((registry / "slots").iterdir()) == []


def test_a_foreign_listener_on_every_address_is_seen(registry: Path, blocks: int) -> None:
    with socket.create_server(("0.0.0.0", blocks)):
        slot = acquire_slot(BLOCK_SIZE - 1, _range(blocks, 1))
        assert blocks not in slot.ports
        slot.release()
        with pytest.raises(InfrastructureError):
            acquire_slot(BLOCK_SIZE, _range(blocks, 1))


def test_different_ranges_that_overlap_share_no_port(registry: Path, blocks: int) -> None:
    # One test target has a range of its own that does not begin where a block of the other's does.
    shifted = (blocks + 5, blocks + 5 + 2 * BLOCK_SIZE - 1)
    with ExitStack() as holders:
        first = [holders.enter_context(holding(registry, _text(blocks, 3), BLOCK_SIZE)) for _ in range(3)]
        second = holders.enter_context(holding(registry, "{}-{}".format(*shifted)))
        taken = [port for holder in first for port in holder.ports]
        assert len(set(taken)) == 3 * BLOCK_SIZE
        assert not set(taken) & set(second.ports)
        assert "no free block" in second.error


def test_a_locked_block_is_held_also_where_there_are_no_abstract_sockets(registry: Path, blocks: int) -> None:
    (registry / "slots").mkdir(parents=True)
    with (registry / "slots" / str(blocks)).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InfrastructureError, match="of 1 blocks 1 are held by other launchers"):
            acquire_slot(1, _range(blocks, 1))


def test_connections_of_an_earlier_holder_do_not_count(registry: Path, blocks: int) -> None:
    address = ("127.0.0.1", blocks)
    with socket.create_server(address) as server, socket.create_connection(address) as client:
        connection, _ = server.accept()
        # Who closes first keeps the port in TIME_WAIT.
        connection.close()
        assert client.recv(1) == b""
    slot = acquire_slot(BLOCK_SIZE, _range(blocks, 1))
    assert blocks in slot.ports
    slot.release()


def test_launchers_that_do_not_see_each_others_files_share_no_port(tmp_path: Path, blocks: int) -> None:
    # As in two containers on one network: the files differ, the ports do not.
    with holding(tmp_path / "one", _text(blocks, 1)) as first, holding(tmp_path / "two", _text(blocks, 1)) as second:
        assert first.ports
        assert "of 1 blocks 1 are held by other launchers" in second.error


def test_launchers_in_networks_of_their_own_have_ports_of_their_own(tmp_path: Path, blocks: int) -> None:
    with (
        holding(tmp_path / "one", _text(blocks, 1)) as first,
        holding(tmp_path / "two", _text(blocks, 1), enclosure=["--net"]) as second,
    ):
        assert first.ports
        assert second.ports


def test_at_once_with_private_tmp_and_partly_private_networks(shared_memory: Path, blocks: int) -> None:
    ports: dict[bool, list[int]] = {False: [], True: []}
    with ExitStack() as holders:
        for number in range(8):
            alone = number % 2 == 1
            enclosure = ["--net", "--tmpfs", "/tmp"] if alone else ["--tmpfs", "/tmp"]
            holder = holders.enter_context(holding(shared_memory, _text(blocks, 8), 2, enclosure))
            ports[alone] += holder.ports
        assert len(ports[False]) == len(ports[True]) == 8
        assert len(set(ports[False])) == 8
    assert list((shared_memory / "slots").iterdir()) == []


@contextmanager
def _waiting(registry: Path, port_range: str, port_count: int = 1) -> Iterator[subprocess.Popen[str]]:
    """Run a holder that may have to wait; its output has not been read."""
    env = {
        "PYTHONPATH": str(places.PACKAGE_ROOT),
        "REALSERVICES_REGISTRY": str(registry),
        "REALSERVICES_PORT_RANGE": port_range,
    }
    command = [sys.executable, str(_HERE / "holder.py"), str(port_count)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_held_block_is_waited_for(registry: Path, blocks: int) -> None:
    with ExitStack() as foreign, holding(registry, _text(blocks, 2)) as holder:
        other = blocks if holder.ports[0] >= blocks + BLOCK_SIZE else blocks + BLOCK_SIZE
        for port in range(other, other + BLOCK_SIZE):
            foreign.enter_context(socket.create_server(("127.0.0.1", port)))
        with _waiting(registry, _text(blocks, 2)) as waiting:
            assert waiting.stdin
            assert waiting.stdout
            assert waiting.stderr
            assert waiting.stderr.readline() == (
                f"realservices: waiting up to 60 s for 1 ports in {_text(blocks, 2)}: of 2 blocks 1 are held by other "
                "launchers and 1 have too many ports in use; set REALSERVICES_PORT_RANGE=FIRST-LAST to a wider range "
                "(bazel test --test_env=…) or run fewer tests at once\n"
            )
            assert holder.process.stdin
            holder.process.stdin.close()
            ports = json.loads(waiting.stdout.readline())["ports"]
            assert ports[0] // BLOCK_SIZE == holder.ports[0] // BLOCK_SIZE
            waiting.stdin.close()
            assert waiting.wait(30) == 0
            assert waiting.stderr.read() == ""  # It is said once.


@pytest.mark.parametrize(
    ("port_count", "most"), [(1, 2), (BLOCK_SIZE + 1, 1)], ids=["a block each", "both blocks each"]
)
def test_many_launchers_take_turns_in_two_blocks(registry: Path, blocks: int, port_count: int, most: int) -> None:
    with ExitStack() as stack:
        everyone = [stack.enter_context(_waiting(registry, _text(blocks, 2), port_count)) for _ in range(12)]
        selector = stack.enter_context(selectors.DefaultSelector())
        for process in everyone:
            selector.register(process.stdout or 0, selectors.EVENT_READ, process)
        holding_now: list[tuple[subprocess.Popen[str], set[int]]] = []
        for served in range(12):
            # As many as can be there at once are there before the first one goes.
            while len(holding_now) < min(most, 12 - served):
                for key, _ in selector.select(60):
                    selector.unregister(key.fileobj)
                    answer = json.loads(key.data.stdout.readline())
                    holding_now.append((key.data, set(answer["ports"])))
            assert len(holding_now) <= most
            assert len(set.union(*(ports for _, ports in holding_now))) == port_count * len(holding_now)
            process, _ = holding_now.pop(0)
            process.stdin.close()  # type: ignore[union-attr]
            assert process.wait(30) == 0
    assert list((registry / "slots").iterdir()) == []


def test_nothing_is_held_while_more_is_waited_for(registry: Path, blocks: int) -> None:
    with holding(registry, _text(blocks, 1)), _waiting(registry, _text(blocks, 2), BLOCK_SIZE + 1) as waiting:
        assert waiting.stderr
        assert "waiting up to 60 s for 17 ports" in waiting.stderr.readline()
        with _waiting(registry, _text(blocks, 2)) as modest:
            assert modest.stdout
            assert json.loads(modest.stdout.readline())["ports"][0] >= blocks + BLOCK_SIZE


def test_no_waiting_for_more_ports_than_a_range_has(registry: Path, blocks: int) -> None:
    with holding(registry, _text(blocks, 1)), pytest.raises(InfrastructureError) as caught:
        acquire_slot(2 * BLOCK_SIZE + 1, _range(blocks, 2))
    assert "of 2 blocks 1 are held by other launchers and 0 have" in caught.value.reason
    assert "of waiting" not in caught.value.reason


def test_blocks_that_were_lost_are_left_out(registry: Path, blocks: int) -> None:
    slot = acquire_slot(1, _range(blocks, 2), avoided=[blocks + 3])
    assert slot.ports[0] >= blocks + BLOCK_SIZE
    slot.release()
    with pytest.raises(InfrastructureError, match="; 1 were used before and are left out; set REALSERVICES"):
        acquire_slot(1, _range(blocks, 1), avoided=[blocks + 3])


def test_a_slot_has_more_ports_to_use(registry: Path, blocks: int) -> None:
    slot = acquire_slot(2, _range(blocks, 1))
    with socket.create_server(("127.0.0.1", blocks + 5)):
        more = slot.use_more(BLOCK_SIZE - 3)
        assert sorted(slot.ports) == [*range(blocks, blocks + 5), *range(blocks + 6, blocks + BLOCK_SIZE)]
    assert len(more) == BLOCK_SIZE - 3
    assert slot.use_more(1) == []
    slot.release()


@pytest.mark.parametrize(
    "text",
    [
        "20000",
        "20000-",
        "-20000",
        "20100-20000",
        "80-2000",
        "20000-70000",
        "a-b",
        "1-2-3",
        "²0000-30000",
        "٣٠٠٠-٤٠٠٠",
        "20000-3000" + "0" * 5000,
    ],
)
def test_a_port_range_that_is_none(registry: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("REALSERVICES_PORT_RANGE", text)
    with pytest.raises(InfrastructureError) as caught:
        acquire_slot(1)
    assert caught.value.reason == (
        f"REALSERVICES_PORT_RANGE={text!r} is not a range of ports; write FIRST-LAST within 1024-65535"
    )


def test_the_default_range_lies_outside_of_the_ephemeral_one(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REALSERVICES_PORT_RANGE", raising=False)
    first, last = map(int, _RANGES.read_text("ascii").split())
    slot = acquire_slot(BLOCK_SIZE)
    assert all(port >= 1024 and not first <= port <= last for port in slot.ports)
    slot.release()


def test_a_range_smaller_than_a_block_is_used_as_far_as_it_goes(registry: Path, blocks: int) -> None:
    slot = acquire_slot(2, (blocks + 3, blocks + 4))
    assert slot.ports == [blocks + 3, blocks + 4]
    slot.release()
    with pytest.raises(InfrastructureError):
        acquire_slot(3, (blocks + 3, blocks + 4))


def test_nothing_of_a_slot_leaks_into_programs(registry: Path, blocks: int) -> None:
    slot = acquire_slot(1, _range(blocks, 1))
    inherited = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os; print(sorted(os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')))",
        ],
        env=dict(os.environ),
        close_fds=False,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert "slots" not in inherited
    slot.release()


def test_ports_of_choice_without_their_blocks() -> None:
    first = hold_ports([20001], with_blocks=False)
    second = hold_ports([20002], with_blocks=False)
    assert (first.ports, second.ports) == ([20001], [20002])
    first.release()
    second.release()
