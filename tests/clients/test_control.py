"""The launcher's control socket, as a test uses it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import redis

from realservices.control.client import BlockingServiceControl, ControlError
from realservices.control.messages import MOST_LINE_BYTES
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realservices.clients.service_control import ServiceControl


async def test_stopped_service_refuses_and_comes_back(service_control: ServiceControl, isolated_redis: Any) -> None:
    name = _redis_name()
    await service_control.stop(name)
    assert (await service_control.status())[name].state == "stopped"
    with pytest.raises(redis.exceptions.ConnectionError):
        await isolated_redis.ping()
    await service_control.start(name)
    assert (await service_control.status())[name].state == "ready"
    assert await isolated_redis.set("a", "1")  # The account is there again.


@pytest.mark.parametrize("fault", ["stop", "kill"])
@pytest.mark.parametrize("attempt", ["breaks", "finds it recovered"])
async def test_what_a_test_breaks_is_recovered_behind_it(
    service_control: ServiceControl, isolated_database: Any, isolated_redis: Any, fault: str, attempt: str
) -> None:
    status = await service_control.status()
    assert {each.state for each in status.values()} == {"ready"}
    assert await isolated_database.fetchval("SELECT 1") == 1
    assert await isolated_redis.ping()
    for name in status:
        await getattr(service_control, fault)(name)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await isolated_database.fetchval("SELECT 1")


async def test_paused_service_hangs_and_goes_on(service_control: ServiceControl, isolated_redis: Any) -> None:
    name = _redis_name()
    await isolated_redis.ping()
    await service_control.pause(name)
    answer = asyncio.ensure_future(isolated_redis.ping())
    done, _ = await asyncio.wait([answer], timeout=0.05)
    assert not done
    await service_control.resume(name)
    assert await answer


def test_paused_service_is_recovered_behind_the_test(
    service_control_sync: BlockingServiceControl, isolated_database_sync: Any
) -> None:
    isolated_database_sync.execute("CREATE TABLE t (a int)")
    for name in service_control_sync.status():
        service_control_sync.pause(name)
    assert {each.state for each in service_control_sync.status().values()} == {"paused"}


def test_what_was_paused_serves_again(
    service_control_sync: BlockingServiceControl, isolated_database_sync: Any
) -> None:
    assert {each.state for each in service_control_sync.status().values()} == {"ready"}
    assert isolated_database_sync.fetchval("SELECT to_regclass('t')") is None


def test_logs_and_wait(service_control_sync: BlockingServiceControl) -> None:
    service_control_sync.wait()
    for name in service_control_sync.status():
        service_control_sync.wait(name)
        assert service_control_sync.logs(name, lines=3)


def test_refusals_are_errors(service_control_sync: BlockingServiceControl) -> None:
    with pytest.raises(ControlError, match="no such"):
        service_control_sync.stop("no such")


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose sockets have short paths, which TMPDIR's have not within Bazel."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture
def launcher(short_path: Path) -> Iterator[Callable[[bytes], BlockingServiceControl]]:
    """Listens where a launcher would, and answers once with what it is told."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(short_path / "s"))
    listener.listen(1)
    threads: list[threading.Thread] = []

    def answer(line: bytes) -> None:
        connection, _ = listener.accept()
        with connection:
            json.loads(connection.makefile("rb").readline())
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # A client need not read it all.
                connection.sendall(line)

    def start(line: bytes) -> BlockingServiceControl:
        threads.append(threading.Thread(target=answer, args=(line,)))
        threads[-1].start()
        return BlockingServiceControl(str(short_path / "s"))

    yield start
    for thread in threads:
        thread.join(10)
    listener.close()


def test_launcher_that_ends_is_told_as_that(launcher: Callable[[bytes], BlockingServiceControl]) -> None:
    with pytest.raises(ControlError, match="it is ending"):
        launcher(b"").stop("db")


def test_failed_wait_carries_the_launchers_words(launcher: Callable[[bytes], BlockingServiceControl]) -> None:
    with pytest.raises(ControlError, match=r"db .* exit code 1"):
        launcher(b'{"ok": false, "error": "service db ended with exit code 1"}\n').wait()


_READY = b'{"state": "ready", "pid": 1, "ready_ms": 1.5, "port": 1, "failed": false}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"\xff\xfe\xff\n", "it is not UTF-8"),
        (b"[" * 100_000 + b"\n", "it is nested too deeply"),
        (b"5\n", "is no answer to 'status': it is 5, not an object"),
        (b"{}\n", "ok is missing: true or false"),
        (b'{"ok": "yes"}\n', "ok is 'yes', not true or false"),
        (b'{"ok": false}\n', "error is missing: a text"),
        (b'{"ok": true}\n', "services is missing: an object"),
        (b'{"ok": true, "services": {"db": {"state": "ready"}}}\n', r"services\.db\.pid is missing"),
        (b'{"ok": true, "services": {"db": ' + _READY.replace(b"1.5", b"1e999") + b"}}\n", "db.ready_ms is inf"),
        (b'{"ok": true, "services": {"db": ' + _READY.replace(b"1.5", b'"1"') + b"}}\n", "db.ready_ms is '1'"),
    ],
)
def test_a_damaged_answer(launcher: Callable[[bytes], BlockingServiceControl], line: bytes, message: str) -> None:
    with pytest.raises(ControlError, match=rf"what listens at /tmp/.* is not a launcher of this release: .*{message}"):
        launcher(line).status()


def test_an_answer_of_a_later_release(launcher: Callable[[bytes], BlockingServiceControl]) -> None:
    answered = launcher(b'{"ok": true, "more": 1, "services": {"db": ' + _READY + b"}}\n").status()
    assert answered["db"].state == "ready"


def test_half_an_answer(launcher: Callable[[bytes], BlockingServiceControl]) -> None:
    with pytest.raises(ControlError, match="it is ending"):
        launcher(b'{"ok": true').status()


def test_an_answer_without_end(launcher: Callable[[bytes], BlockingServiceControl]) -> None:
    with pytest.raises(ControlError, match="answers status of all services with an answer of more than 16 MB"):
        launcher(b"x" * (MOST_LINE_BYTES + 100_000)).status()


def test_nobody_there(short_path: Path) -> None:
    with pytest.raises(ControlError, match="cannot ask the launcher"):
        BlockingServiceControl(str(short_path / "gone")).status()


def test_no_answer_in_time(short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(short_path / "s"))
        listener.listen(1)
        with pytest.raises(ControlError, match="wait of db within"):
            BlockingServiceControl(str(short_path / "s")).wait("db", timeout_s=0.01)


def _redis_name() -> str:
    return find_services().names("redis")[0]
