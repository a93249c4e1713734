"""What others may see of a test's services: nothing but loopback listeners that ask for a password."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.family import children
from tests.launcher.launched import Launched, postgres, redis
from tests.services.queries import QueryError, redis_call, sql

# Settings with which PostgreSQL logs all that it is told.
_TALKATIVE = {
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_duration": "on",
    "log_connections": "on",
    "log_min_messages": "debug1",
    "log_parser_stats": "on",
    "debug_print_parse": "on",
    "debug_print_rewritten": "on",
    "debug_print_plan": "on",
}


def test_passwords_appear_nowhere(tmp_path: Path, template: Path) -> None:
    services = [postgres(**_TALKATIVE), redis(loglevel="debug")]
    with Launched(tmp_path / "run", services, template=template) as launched:
        endpoints = launched.endpoints
        passwords = [endpoint["password"].encode() for endpoint in endpoints.values()]
        sql(endpoints["db"]["url"], "SELECT 'a statement that is logged'")
        redis_call(endpoints["cache"], "PING")
        with launched.control() as control:
            # Restarted, they set and read their passwords once more.
            for name in endpoints:
                control.ask("stop", service=name)
                control.ask("start", service=name)
            control.ask("wait")
            answers = str([control.ask("status"), *(control.ask("logs", service=name) for name in endpoints)]).encode()
        own = _descendants(launched.pid)
        assert len(own) > 4
        command_lines = b"\n".join(map(_command_line, own))
        launched.finish(1)
        logs = [launched.written(f"outputs/{name}.log").encode() for name in endpoints]
        assert b"a statement that is logged" in logs[0]
        for where in (*logs, answers, command_lines, launched.output.encode(), launched.written("test.xml").encode()):
            for password in passwords:
                assert password not in where


def test_each_launch_has_passwords_of_its_own(tmp_path: Path, template: Path) -> None:
    seen = set()
    for number in range(2):
        with Launched(tmp_path / str(number), [postgres(), redis()], template=template) as launched:
            seen |= {endpoint["password"] for endpoint in launched.endpoints.values()}
            launched.finish()
    assert len(seen) == 4
    assert all(len(password) >= 24 for password in seen)


def test_without_the_password_nobody_gets_in(tmp_path: Path, template: Path) -> None:
    with Launched(tmp_path / "run", [postgres(), redis()], template=template) as launched:
        db, cache = launched.endpoints["db"], launched.endpoints["cache"]
        with pytest.raises(QueryError, match="password authentication failed"):
            sql(db["url"].replace(db["password"], "wrong"), "SELECT 1")
        with pytest.raises(QueryError, match="no password supplied"):
            sql(db["url"].replace(f":{db['password']}", ""), "SELECT 1")
        with pytest.raises(QueryError, match="WRONGPASS"):
            redis_call({**cache, "password": "wrong"}, "PING")
        with socket.create_connection((cache["host"], cache["port"]), timeout=60) as connection:
            connection.sendall(b"GET key\r\n")
            assert connection.recv(100).startswith(b"-NOAUTH")
        launched.finish()


def test_services_listen_on_loopback_only(tmp_path: Path, template: Path) -> None:
    with Launched(tmp_path / "run", [postgres(), redis()], template=template) as launched:
        ports = {endpoint["port"] for endpoint in launched.endpoints.values()}
        listening = _listening(launched.pid)
        assert {address for address, port in listening if port in ports} == {"127.0.0.1"}
        assert {port for _, port in listening} >= ports
        # Nothing of the launcher listens on any other port either.
        own = _socket_inodes([launched.pid, *_descendants(launched.pid)])
        assert {port for _, port, inode in _listeners(launched.pid) if inode in own} == ports
        launched.finish()


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""  # A worker of PostgreSQL's that has ended since.


def test_files_are_closed_to_others(tmp_path: Path, template: Path) -> None:
    with Launched(tmp_path / "run", [postgres(), redis()], template=template) as launched:
        runtime: dict[str, Any] = launched.program.runtime
        private = Path(runtime["control"]).parent
        for path in (private, Path(runtime["sandbox"]), Path(launched.endpoints["db"]["socket"])):
            assert path.stat().st_mode & 0o077 == 0, path
        for endpoint in launched.endpoints.values():
            assert Path(endpoint["log"]).stat().st_mode & 0o077 == 0
        launched.finish()


def _descendants(pid: int) -> list[int]:
    return [*children(pid), *(later for child in children(pid) for later in _descendants(child))]


def _listeners(pid: int) -> list[tuple[str, int, str]]:
    """Return address, port and inode of every listening TCP socket in the network of a process; see proc(5)."""
    found = []
    for family, name in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/{pid}/net/{name}").read_text("ascii").splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            if fields[3] == "0A":
                words = [bytes.fromhex(address)[start : start + 4][::-1] for start in range(0, len(address) // 2, 4)]
                found.append((socket.inet_ntop(family, b"".join(words)), int(port, 16), fields[9]))
    return found


def _listening(pid: int) -> set[tuple[str, int]]:
    return {(address, port) for address, port, _ in _listeners(pid)}


def _socket_inodes(pids: list[int]) -> set[str]:
    inodes = set()
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            target = str(entry.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    return inodes
