"""`ServiceDiscovery`: files that others have written, damaged ones, and those that are not there."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from realservices.contract.runtime import Endpoint
from realservices.dev.processes import start_of
from realservices.service_discovery import (
    DamagedDiscoveryError,
    ServiceDiscovery,
    StaleServiceError,
    UnknownServiceError,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def discovery(tmp_path: Path) -> ServiceDiscovery:
    return ServiceDiscovery(tmp_path / "files")


def _write(discovery: ServiceDiscovery, name: str, content: Any) -> None:
    discovery.discovery_dir.mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (discovery.discovery_dir / f"{name}.json").write_text(text, encoding="utf-8")


async def test_a_file_of_another_program(discovery: ServiceDiscovery) -> None:
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        _write(discovery, "auth", {"port": port, "health_url": f"http://127.0.0.1:{port}/health", "more": 1})
        info = await discovery.get_service_info("auth")
    assert (info.name, info.port, info.base_url) == ("auth", port, f"http://127.0.0.1:{port}")
    with pytest.raises(StaleServiceError, match=rf"nobody listens on 127\.0\.0\.1:{port}, where .*/auth\.json says"):
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
        ("{", "JSONDecodeError"),
        ("[]", "AttributeError"),
        ({}, "KeyError: 'port'"),
        ({"port": "80"}, "ValueError: port is '80'"),
        ({"port": 70000}, "ValueError: port is 70000"),
        ({"port": 80, "health_url": None}, "TypeError: health_url is None"),
        ({"port": 80, "pid": "x"}, "TypeError: pid is 'x'"),
    ],
)
async def test_a_damaged_file(discovery: ServiceDiscovery, content: Any, reason: str) -> None:
    _write(discovery, "auth", content)
    with pytest.raises(DamagedDiscoveryError) as raised:
        await discovery.get_service_info("auth")
    assert "files/auth.json does not say where service 'auth' is (" + reason in str(raised.value)
    assert 'expected a JSON object with "port" and "health_url"' in str(raised.value)
    endpoint = Endpoint("auth", "executable", "", "127.0.0.1", 1, "secret", "http://a:secret@127.0.0.1:1")
    discovery.write(endpoint)
    assert discovery.read("auth").base_url == "http://127.0.0.1:1"
    discovery.remove("auth")
    assert discovery.names() == []
