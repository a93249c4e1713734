"""The servers that tests outside of Bazel are run with: found as the session finds them, started, and asked once."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.cli.checks.finding import Finding, error, warning
from realservices.cli.checks.scratch import scratch_directory
from realservices.contract.errors import RealServicesError
from realservices.contract.user_directory import SHARED_MEMORY, SHORT_BASES
from realservices.host.privileges import leave_root
from realservices.host.process import die_with_parent, spawn
from realservices.host.templates import free_bytes
from realservices.sources.errors import MissingServiceError
from realservices.sources.programs import postgres_distribution, redis_server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TIMEOUT_S = 20.0
_SHOWN_LINES = 5
_ROOM_BYTES = 128 << 20


def check_postgres() -> Finding:
    """Make a cluster, start a server on it, and ask for its version."""
    return _check("postgres", "PostgreSQL", postgres_distribution, _version_of_postgres)


def check_redis() -> Finding:
    """Start a server and ask for its version."""
    return _check("redis", "Redis", redis_server, _version_of_redis)


def _check(kind: str, title: str, find: Callable[[], Path], ask: Callable[[Path, str], str]) -> Finding:
    identity = f"server.{kind}", title
    try:
        program = find()
    except MissingServiceError:
        return warning(
            *identity, f"none found: no wheel, no REALSERVICES_{kind.upper()}, none of the machine's own",
            meaning=f"Plain pytest cannot start {title}: tests that need it skip, unless TEST_{kind.upper()}_HOST "
            "names one. bazel test brings its own.",
            remedy=f"pip install 'rules-realservices[{kind}]'",
        )  # fmt: skip
    except RealServicesError as wrong:
        return _unusable(identity, kind, str(wrong))
    begin = time.monotonic()
    try:
        with scratch_directory(*_bases()) as directory:
            version = ask(program, directory)
    except (OSError, RealServicesError) as failed:
        return _unusable(identity, kind, f"{program} does not work: {_last_lines(str(failed))}")
    elapsed_ms = (time.monotonic() - begin) * 1000
    return Finding(*identity, f"{version} started and answered in {elapsed_ms:.0f} ms ({program})")


def _bases() -> Sequence[str]:
    # A new cluster is 40 MB.
    has_room = os.access(SHARED_MEMORY, os.W_OK) and free_bytes(SHARED_MEMORY) > _ROOM_BYTES
    return [SHARED_MEMORY, *SHORT_BASES] if has_room else SHORT_BASES


def _unusable(identity: tuple[str, str], kind: str, found: str) -> Finding:
    return error(
        *identity, found,
        meaning=f"Plain pytest starts this one, and tests that need {kind} fail. bazel test brings its own.",
        remedy=f"If the lines above are well: pip install --force-reinstall 'rules-realservices[{kind}]', or name "
        f"another one in REALSERVICES_{kind.upper()}",
    )  # fmt: skip


def _version_of_postgres(distribution: Path, directory: str) -> str:
    from realservices.services.postgres_cluster import Cluster  # noqa: PLC0415 - where there is a PostgreSQL
    from realservices.services.postgres_locale import Locale  # noqa: PLC0415

    def make_and_ask() -> str:
        # As in a session: two levels deep, the upper one of which only this user may enter.
        work = f"{directory}/cluster"
        os.mkdir(work, 0o700)
        leave_root(work, f"{distribution}/bin/postgres")
        cluster = Cluster(str(distribution), work, "test", {})
        cluster.initialize(Locale())
        try:
            cluster.start()
            answer = cluster.psql("postgres", "-At", "-c", "SHOW server_version")
        finally:
            cluster.stop()
        if answer.returncode:
            raise OSError(answer.stderr)
        return f"PostgreSQL {answer.stdout.split()[0]}"

    return _in_child(make_and_ask)


def _in_child(work: Callable[[], str]) -> str:
    """Do something in a child with a process group of its own; return its answer.

    Raises:
        OSError: It failed, or took too long.
    """
    read_end, write_end = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        die_with_parent(parent)
        _answer_and_exit(work, write_end)
    os.close(write_end)
    try:
        answer = _read(read_end)
    finally:
        os.close(read_end)
        _kill_group(pid)
    if not answer.startswith("+"):
        raise OSError(answer[1:] or f"no answer within {_TIMEOUT_S:.0f} s")
    return answer[1:]


def _answer_and_exit(work: Callable[[], str], write_end: int) -> None:
    try:
        answer = f"+{work()}"
    except BaseException as failed:  # noqa: BLE001 - the child must end here whatever happens
        answer = f"-{getattr(failed, 'strerror', '') or failed or type(failed).__name__}"
    finally:
        os.write(write_end, answer.encode())
        os._exit(0)


def _read(descriptor: int) -> str:
    """Return all that comes until the other side closes, or what has come when the time is over."""
    received, deadline = b"", time.monotonic() + _TIMEOUT_S
    while select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(descriptor, 65536)
        if not part:
            break
        received += part
    return received.decode(errors="replace")


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    os.waitpid(pid, 0)


def _version_of_redis(program: Path, directory: str) -> str:
    path = f"{directory}/redis.sock"
    settings = f'port 0\nunixsocket {path}\nunixsocketperm 700\ndir {directory}\nsave ""\n'
    read_end, write_end = os.pipe()
    config_read, config_write = os.pipe()
    os.write(config_write, settings.encode())
    os.close(config_write)
    pid = spawn([str(program), "-"], env={"LC_ALL": "C"}, output=write_end, stdin=config_read, cwd=directory)
    os.close(config_read)
    os.close(write_end)
    try:
        log = _read_until(read_end, b"Ready to accept connections")
        return _ask_redis(path, log)
    finally:
        os.close(read_end)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _read_until(descriptor: int, mark: bytes) -> str:
    received, deadline = b"", time.monotonic() + _TIMEOUT_S
    while mark not in received:
        if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise OSError(f"not ready within {_TIMEOUT_S:.0f} s: {received.decode(errors='replace')}")
        part = os.read(descriptor, 65536)
        if not part:
            raise OSError(f"it ended: {received.decode(errors='replace')}")
        received += part
    return received.decode(errors="replace")


def _ask_redis(path: str, log: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_TIMEOUT_S)
        client.connect(path)
        client.sendall(b"PING\r\nINFO server\r\n")
        answer = b""
        while b"_version:" not in answer or not answer.rpartition(b"_version:")[2].count(b"\r\n"):
            part = client.recv(65536)
            if not part:
                raise OSError(f"it closed the connection: {log}")
            answer += part
    fields = dict(line.partition(":")[::2] for line in answer.decode().splitlines())
    if "valkey_version" in fields:
        return f"Valkey {fields['valkey_version']}"
    return f"Redis {fields['redis_version']}"


def _last_lines(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-_SHOWN_LINES:])
