"""`ServiceDiscovery`: files that others have written, damaged ones, and those that are not there."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from realservices.contract.runtime import Endpoint
from realservices.service_discovery import (
    DamagedDiscoveryError,
    ServiceDiscovery,
    StaleServiceError,
    UnknownServiceError,
)
from realservices.system.process_ids import start_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def discovery(tmp_path: Path) -> ServiceDiscovery:
    return ServiceDiscovery(tmp_path / "files")


def _write(discovery: ServiceDiscovery, name: str, content: Any) -> None:
    discovery.discovery_dir.mkdir(exist_ok=True)
    text = content if isinstance(content, (str, bytes)) else json.dumps(content)
    (discovery.discovery_dir / f"{name}.json").write_bytes(text if isinstance(text, bytes) else text.encode())


async def test_a_file_of_another_program(discovery: ServiceDiscovery) -> None:
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        _write(discovery, "auth", {"port": port, "health_url": f"http://127.0.0.1:{port}/health", "more": 1})
        info = await discovery.get_service_info("auth")
    assert (info.name, info.port, info.base_url) == ("auth", port, f"http://127.0.0.1:{port}")
    with pytest.raises(StaleServiceError, match=rf"nothing listens on 127\.0\.0\.1:{port}, where .*/auth\.json says"):
        await discovery.get_service_info("auth")


async def test_a_service_that_nobody_has_started(discovery: ServiceDiscovery) -> None:
    with pytest.raises(UnknownServiceError, match=r"no service 'auth' in .*/files; there are none\. Declare it"):
        await discovery.get_service_info("auth")
    _write(discovery, "db", {"port": 1})
    _write(discovery, "backend", {"port": 1})
    with pytest.raises(UnknownServiceError, match="there are backend, db"):
        await discovery.get_service_info("auth")
    with pytest.raises(UnknownServiceError, match=r"'\.\./auth' is no service's name; there are backend, db"):
        await discovery.get_service_info("../auth")


async def test_a_process_with_the_same_id_is_another_one(discovery: ServiceDiscovery) -> None:
    _write(discovery, "worker", {"port": 0, "pid": os.getpid(), "started": start_of(os.getpid())})
    assert (await discovery.get_service_info("worker")).pid == os.getpid()
    _write(discovery, "worker", {"port": 0, "pid": os.getpid(), "started": "1"})
    with pytest.raises(StaleServiceError, match=rf"process {os.getpid()}, which started it, has ended"):
        await discovery.get_service_info("worker")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "Expecting property name"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"port": NaN}', "NaN is not a JSON number"),
        (b"\xff", "it is not UTF-8"),
        (b" " * (1 << 20) + b"{}", "it has more than 1 MB"),
        ("[]", "it is [], not an object"),
        ({}, "port is missing: a whole number from 0 to 65535"),
        ({"port": "80"}, "port is '80', not a whole number from 0 to 65535"),
        ({"port": 70000}, "port is 70000, not a whole number from 0 to 65535"),
        ({"port": 80, "health_url": None}, "health_url is None, not a text"),
        ({"port": 80, "pid": "x"}, "pid is 'x', not a whole number from 0 to 2147483647"),
        ({"port": 80, "pid": -1}, "pid is -1, not a whole number"),
        ({"port": 80, "ports": [80]}, "ports is [80], not an object"),
        ({"port": 80, "log": "a\0b"}, r"log is 'a\x00b', not a text without NUL"),
        ('{"port": 80, "ready_at": 1e999}', "ready_at is inf, not a number from 0 on"),
    ],
)
async def test_a_damaged_file(discovery: ServiceDiscovery, content: Any, reason: str) -> None:
    _write(discovery, "auth", content)
    with pytest.raises(DamagedDiscoveryError) as raised:
        await discovery.get_service_info("auth")
    assert "files/auth.json does not say where service 'auth' is: " + reason in str(raised.value)
    assert 'expected a JSON object with "port" and "health_url"' in str(raised.value)
    endpoint = Endpoint("auth", "executable", "", "127.0.0.1", 1, "secret", "http://a:secret@127.0.0.1:1")
    discovery.write(endpoint)
    assert discovery.read("auth").base_url == "http://127.0.0.1:1"
    discovery.remove("auth")
    assert discovery.names() == []


async def test_one_damaged_file_is_not_in_the_way_of_others(discovery: ServiceDiscovery) -> None:
    _write(discovery, "gone", {"port": 1, "pid": os.getpid(), "started": "1"})
    for name, content in (("deep", "[" * 100_000), ("text", b"\xff"), ("types", {"port": [], "pid": {}})):
        _write(discovery, name, content)
    (discovery.discovery_dir / "folder.json").mkdir()
    (discovery.discovery_dir / "link.json").symlink_to("link.json")
    os.mkfifo(discovery.discovery_dir / "fifo.json")
    for name in (".json", ".x.99999999999999999999", ".x.²", ".x.0"):
        (discovery.discovery_dir / name).touch()
    assert discovery.names() == ["deep", "fifo", "folder", "gone", "link", "text", "types"]
    assert [path.name for path in discovery.stale_files()] == ["gone.json"]
    for name, reason in (("fifo", "it is not a regular file"), ("folder", "it is not a"), ("link", "Too many levels")):
        with pytest.raises(DamagedDiscoveryError, match=reason):
            discovery.read(name)


async def test_a_host_that_no_network_has(discovery: ServiceDiscovery) -> None:
    _write(discovery, "auth", {"port": 80, "host": "x" * 70 + ".é"})
    with pytest.raises(StaleServiceError, match="is not there any more"):
        await discovery.get_service_info("auth")


async def test_a_message_has_nothing_that_steers_a_terminal(discovery: ServiceDiscovery) -> None:
    _write(discovery, "auth\x1b[2J\n", {"port": 80})
    with pytest.raises(UnknownServiceError, match=r"there are auth\\x1b\[2J\\n\. Declare"):
        await discovery.get_service_info("backend")
