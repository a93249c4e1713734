"""Who has a port: told by name and process id where the kernel lets us see it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from realservices.host.listeners import owner_of_port


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")])
def test_the_process_that_listens_is_named(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen(1)
        own = f"{Path('/proc/self/comm').read_text('utf-8').strip()} (process {os.getpid()})"
        assert owner_of_port(listener.getsockname()[1]) == own


def test_a_process_that_cannot_be_seen_is_not_guessed() -> None:
    with socket.socket() as bound:
        # Nobody can have this port, and nobody listens there.
        bound.bind(("127.0.0.1", 0))
        assert owner_of_port(bound.getsockname()[1]).startswith("a process that cannot be seen from here")
