"""Damaged requests to the process that runs a session's services: it answers others all the time, and ends on SIGTERM."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.control.messages import SOCKET
from realservices.sources.package import package_command
from realservices.system.session_directory import make_session_directory, new_session_path
from tests.fuzz.mutations import Mutations
from tests.host import places
from tests.launcher.control_client import ControlClient

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEADLINE_S = 60.0


def _redis(name: str = "cache") -> dict[str, Any]:
    config = {"server": str(places.redis_server()).removeprefix("/"), "databases": 4, "settings": {}}
    return {"name": name, "kind": "redis", "label": "//app:cache", "needs": [], "config": config, "made_of": []}


def _sleeper() -> dict[str, Any]:
    config = {
        "program": str(shutil.which("sleep")).removeprefix("/"), "args": [["60"]], "env": {"A": ["b"]}, "ports": [], "url": [],
        "websocket_url": [], "ready": {"type": "log", "pattern": "never"}, "ready_timeout_s": 60, "stop_signal": "SIGTERM",
        "grace_s": 5,
    }  # fmt: skip
    return {"name": "sleeper", "kind": "executable", "label": "//app:s", "needs": ["cache"], "config": config}


def _requests() -> list[dict[str, Any]]:
    one = [{"op": op, "service": "cache"} for op in ("logs", "start", "stop", "kill", "pause", "resume")]
    return [
        {"op": "status"},
        {"op": "wait", "services": ["cache"]},
        {"op": "watch", "states": {"cache": "ready"}},
        {"op": "logs", "service": "cache", "lines": 5},
        *one,
        {"op": "add", "service": _redis(), "runfiles": ""},
        {"op": "add", "service": _sleeper(), "runfiles": ""},
    ]


def test_requests() -> None:
    formats = [Mutations(f"request {number}", request) for number, request in enumerate(_requests())]
    with _served() as path, ControlClient(path, _DEADLINE_S) as other:
        added = other.ask("add", service=_redis(), runfiles="")
        assert added["endpoint"]["kind"] == "redis"
        for number, (seed, _) in enumerate(Mutations("seeds", {})):
            mutations = formats[number % len(formats)]
            text = mutations.of(seed)
            with mutations.tried(seed, text):
                _say(path, text, is_hasty=seed % 5 == 0, answered=lambda: other.ask("status")["ok"] is True)
        for name, status in other.ask("status")["services"].items():
            # Whatever they were told, they can be ended.
            if status["state"] in ("ready", "paused", "starting"):
                assert other.ask("kill", service=name) == {"ok": True}
        assert other.ask("start", service="cache") == {"ok": True}
        assert other.ask("wait", services=["cache"]) == {"ok": True}
        process = _process(path)
        signal.pidfd_send_signal(process, signal.SIGTERM)
        assert select.select([process], [], [], _DEADLINE_S)[0], "it does not end on SIGTERM"
        os.close(process)


def test_what_is_wrong_with_one_service_does_not_end_the_others() -> None:
    with _served() as path, ControlClient(path, _DEADLINE_S) as client:
        fifo = Path(path).parent / "fifo"
        os.mkfifo(fifo)
        slow = _sleeper() | {"name": "slow", "needs": []}
        slow["config"] |= {
            "program": "bin/sh", "args": [["-c"], [f"cat {fifo}; sleep 60"]], "ready": {"type": "log", "pattern": "ready"}
        }  # fmt: skip
        with ControlClient(path, _DEADLINE_S) as first:
            first.tell("add", service=slow, runfiles="")
            assert _first_state(client, "slow") == "starting"
            client.tell("add", service=_redis("late") | {"needs": ["slow"]}, runfiles="")
            with ControlClient(path, _DEADLINE_S) as other:
                # It is there, and is started long after it was asked for.
                assert _first_state(other, "late") == "waiting"
                (logs,) = Path(path).parent.glob("*/logs")
                shutil.rmtree(logs)
                fifo.write_text("ready\n", encoding="utf-8")
                # A log that cannot be written is no reason not to serve.
                assert client.answer()["ok"] is True
                assert first.answer()["ok"] is True
                assert other.state("slow") == "ready"


def _first_state(client: ControlClient, name: str) -> str:
    """Return the state of a service as soon as it is known."""
    services: dict[str, Any] = client.ask("watch", states={})["services"]
    while name not in services:
        services = client.ask("watch", states={each: status["state"] for each, status in services.items()})["services"]
    return str(services[name]["state"])


@contextmanager
def _served() -> Iterator[str]:
    """Start a process that runs services; yield the path of its control socket."""
    directory = new_session_path()
    held = make_session_directory(directory)
    try:
        subprocess.run(package_command("serve", directory), check=True, timeout=_DEADLINE_S, stdin=subprocess.DEVNULL)
        process = _process(f"{directory}/{SOCKET}")
        with Path(directory, "serve.log").open(encoding="utf-8", errors="replace") as log:
            try:
                yield f"{directory}/{SOCKET}"
            finally:
                # It ends with the last holder of the session's FIFO, and says last why it ends before that.
                while held:
                    os.close(held.pop())
                assert select.select([process], [], [], _DEADLINE_S)[0], "it does not end with its session"
                os.close(process)
                complaints = log.read()
                assert complaints == "", complaints
    finally:
        for descriptor in held:
            os.close(descriptor)
        shutil.rmtree(directory, ignore_errors=True)


def _say(path: str, text: bytes, *, is_hasty: bool, answered: Any) -> None:
    """Send what may be a request; see that others are served, and that what is answered is an answer.

    Args:
        path: The control socket's.
        text: What is sent.
        is_hasty: Whether to go without reading.
        answered: Returns whether another client is answered.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_DEADLINE_S)
        client.connect(path)
        received = b""
        try:
            client.sendall(text + b"\n")
            if is_hasty:
                return
            # It was sent before this, so it has been read before this is answered.
            assert answered()
            client.setblocking(False)
            while more := client.recv(1 << 20):
                received += more
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
        for line in received.splitlines():
            assert isinstance(json.loads(line)["ok"], bool), line
    assert answered()


def _process(path: str) -> int:
    """Return a descriptor of the process that listens."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        pid, _, _ = struct.unpack(
            "iii", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iii"))
        )
    return os.pidfd_open(pid)
