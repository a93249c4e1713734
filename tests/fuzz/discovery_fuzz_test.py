"""Damaged discovery files: the others are told of all the same, and nothing of them steers the terminal."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import realservices
from realservices.dev.discovery import ServiceDiscovery, ServiceInfo
from realservices.dev.errors import DiscoveryError
from realservices.system.process_ids import start_of
from tests.fuzz.mutations import Mutations, check_words, steering
from tests.host import places

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_NOBODY = {"port": 0, "base_url": "http://127.0.0.1:0"}
_HOSTS = ("127.0.0.1", "::1")


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # Under Bazel the tests' own archive of the package has no command line; another one has.
    monkeypatch.setattr(realservices, "__path__", [*realservices.__path__, f"{places.command_line()}/realservices"])
    monkeypatch.setenv("REALSERVICES_DISCOVERY_DIR", str(tmp_path / "files"))
    monkeypatch.setenv("REALSERVICES_REGISTRY", str(tmp_path / "registry"))
    monkeypatch.chdir(tmp_path)
    from realservices.cli.main import main  # noqa: PLC0415 - as above

    discovery = ServiceDiscovery()
    discovery.discovery_dir.mkdir()
    whole = {
        "port": 0, "base_url": "http://127.0.0.1:1", "health_url": "", "websocket_url": "", "host": "127.0.0.1",
        "ports": {"http": 1}, "kind": "executable", "log": "/log", "pid": os.getpid(), "started": start_of(os.getpid()),
        "control": str(tmp_path / "nobody.sock"), "ready_at": 1.5,
    }  # fmt: skip
    mutations = Mutations("discovery file", whole)
    good, path = discovery.discovery_dir / "good.json", discovery.discovery_dir / "it.json"
    good.write_text(json.dumps(_NOBODY), encoding="utf-8")
    path.write_bytes(mutations.whole)
    assert discovery.read("it").ports == {"http": 1}
    assert main(["status"]) == 0
    capsys.readouterr()
    for seed, text in mutations:
        path.write_bytes(text)
        with mutations.tried(seed, text):
            assert discovery.names() == ["good", "it"]
            assert set(discovery.stale_files()) <= {path}
            info = _read(discovery)
            if info and not _is_local(info):
                continue  # No test speaks with another machine.
            assert main(["status"]) in (0, 1)
            shown = capsys.readouterr()
            assert "✓ good" in shown.out
            assert steering(shown.out) == []
            assert shown.err == ""
            main(["status", "--json"])
            described = json.loads(capsys.readouterr().out)
            assert [each["name"] for each in described["services"]] == ["good", "it"]


def _read(discovery: ServiceDiscovery) -> ServiceInfo | None:
    try:
        info = discovery.read("it")
        if _is_local(info):
            asyncio.run(discovery.get_service_info("it"))
    except DiscoveryError as error:
        check_words(error)
        try:
            return discovery.read("it")
        except DiscoveryError:
            return None
    return info


def _is_local(info: Any) -> bool:
    return info.host in _HOSTS and info.health_url == ""
