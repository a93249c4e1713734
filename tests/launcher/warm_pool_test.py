"""The pool of warm services: what others say at the sockets, on both sides, ends nothing and blocks nobody for long."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from realservices.launcher.session.pool_entry import PoolEntry
from realservices.system.warm_pool import CLAIM, LOOK, claim, look_at, socket_path


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return a registry of its own, with a short path for sockets."""
    with tempfile.TemporaryDirectory(prefix="rso.", dir="/tmp") as directory:
        monkeypatch.setenv("REALSERVICES_REGISTRY", directory)
        yield directory


@pytest.mark.parametrize("answer", [b"\xff\xfe", b"", b"no path", b"/with\0nul"])
@pytest.mark.parametrize("descriptors", [0, 1, 2])
def test_what_is_no_answer_is_no_offer(answer: bytes, descriptors: int) -> None:
    path = socket_path("key")
    Path(path).parent.mkdir()
    read_end, write_end = os.pipe()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(16) == CLAIM
                socket.send_fds(connection, [answer or b"x"], [write_end] * descriptors)

        thread = threading.Thread(target=serve)
        thread.start()
        assert claim("key") is None
        thread.join()
    os.close(write_end)
    # Nothing of what came with it is kept.
    assert os.read(read_end, 1) == b""
    os.close(read_end)


def test_who_asks_for_nothing_changes_nothing() -> None:
    entry = PoolEntry("key", lambda: b"{}")
    read_end, write_end = os.pipe()
    try:
        for words in (b"", b"\xff\xfe", b"x" * 100_000, b"claim", b"{" * 16, None):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(socket_path("key"))
                if words is not None:
                    client.sendall(words)
                    client.shutdown(socket.SHUT_WR)
                assert entry.answer("/nowhere", [read_end, write_end]) == b""
        looking = threading.Thread(target=lambda: found.append(look_at("key")))
        found: list[bytes] = []
        looking.start()
        assert entry.answer("/nowhere", []) == b""
        looking.join()
        assert found == [b"{}"]
        # One who does not wait for what he asked for.
        for asked in (LOOK, CLAIM):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(socket_path("key"))
                client.sendall(asked)
            assert entry.answer("/nowhere", [read_end, write_end]) == b""
    finally:
        os.close(read_end)
        os.close(write_end)
        entry.withdraw()
