"""Who has a port: told by name and process id where the kernel lets us see it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from realservices.system.listeners import foreign_owner, is_free, owner_of_port, stranger_on

_UNSEEN = "a process that cannot be seen from here: another user's, or a container's"
_LISTEN = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listens", flush=True)
sys.stdin.read()
"""


@contextmanager
def _child_that_listens(port: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _LISTEN, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "listens\n"
        yield child


def _own_words() -> str:
    return f"{Path('/proc/self/comm').read_text('utf-8').strip()} (process {os.getpid()})"


@pytest.fixture
def port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
        return number


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")])
def test_the_process_that_listens_is_named(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen(1)
        assert owner_of_port(listener.getsockname()[1]) == _own_words()


def test_a_process_that_cannot_be_seen_is_not_guessed() -> None:
    with socket.socket() as bound:
        # Nobody can have this port, and nobody listens there.
        bound.bind(("127.0.0.1", 0))
        assert owner_of_port(bound.getsockname()[1]).startswith("a process that cannot be seen from here")


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_server_that_was_not_started_here_is_foreign(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family, dualstack_ipv6=":" in address) as server:
        port = server.getsockname()[1]
        # This process stands for the launcher, which listens nowhere: only what it has started is its own.
        assert not is_free(port)
        assert foreign_owner(port) == stranger_on(port) == _own_words()


def test_a_server_that_was_started_here_is_not_foreign(port: int) -> None:
    with _child_that_listens(port):
        assert not is_free(port)
        assert foreign_owner(port) == stranger_on(port) == ""


def test_the_proxy_of_a_container_may_serve_for_a_service() -> None:
    name = Path("/proc/self/comm")
    before = name.read_text("utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:
        try:
            name.write_text("docker-proxy", "utf-8")
            assert stranger_on(server.getsockname()[1]) == ""
            assert foreign_owner(server.getsockname()[1]) == f"docker-proxy (process {os.getpid()})"
        finally:
            name.write_text(before, "utf-8")


def test_a_port_on_another_address_is_no_concern_of_ours() -> None:
    with socket.create_server(("127.0.0.2", 0)) as server:
        port = server.getsockname()[1]
        assert is_free(port)
        assert foreign_owner(port) == stranger_on(port) == ""


def test_a_port_that_is_only_bound_is_taken_all_the_same() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert foreign_owner(bound.getsockname()[1]) == _UNSEEN
        assert stranger_on(bound.getsockname()[1]) == ""


def test_connections_that_a_server_leaves_behind_are_nobodys() -> None:
    # The listener never said SO_REUSEADDR, so its connections keep the port from others after its end.
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        server.accept()[0].close()
    with client:
        assert not is_free(port)
        assert foreign_owner(port) == ""
