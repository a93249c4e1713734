"""Runtime descriptions and descriptions of templates: damage is told by file, key and value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realservices.contract.errors import ManifestError
from realservices.contract.manifest import ServiceSpec
from realservices.contract.runtime import load_runtime
from realservices.services.template_description import read_info

_ENDPOINT = {
    "kind": "redis", "label": "//a:cache", "host": "127.0.0.1", "port": 1, "password": "x", "url": "redis://", "database": 0,
    "ports": {"redis": 1}, "needs": [], "of_a_later_release": 1,
}  # fmt: skip
_RUNTIME: dict[str, Any] = {
    "version": 1, "label": "//a:b", "control": "", "sandbox": "/s", "isolation": "database", "private": "/p",
    "services": {"cache": _ENDPOINT},
}  # fmt: skip
_SPEC = ServiceSpec({"name": "db", "kind": "postgres", "label": "//a:db", "needs": [], "config": {}})
_TREE = {"digest": "d", "archive_digest": "a", "size_bytes": 1, "links": {"base/2": "base/1"}}
_INFO = {
    **_TREE,
    "copy_size_bytes": 2,
    "removed": ["base/1/2"],
    "base": _TREE,
    "template_database": "t",
    "ready_databases": ["a"],
    "server_version_num": 180000,
}


def _write(path: Path, content: object) -> str:
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return str(path)


def _endpoint(**changes: object) -> dict[str, Any]:
    return _RUNTIME | {"services": {"cache": _ENDPOINT | changes}}


def test_what_is_whole_is_read(tmp_path: Path) -> None:
    endpoint = load_runtime(_write(tmp_path / "runtime.json", _RUNTIME)).services["cache"]
    assert (endpoint.name, endpoint.port, endpoint.database) == ("cache", 1, 0)
    assert read_info(_SPEC, _write(tmp_path / "info.json", _INFO)) == _INFO


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"version": 1, "label": NaN}', "NaN is not a JSON number"),
        (b"\xff", "it is not UTF-8"),
        (b"5", "it is 5, not an object"),
        (_RUNTIME | {"services": []}, "services is [], not an object"),
        (_RUNTIME | {"control": None}, "control is None, not a text"),
        (_endpoint(port="1"), "services.cache.port is '1', not a whole number from 0 to 65535"),
        (_endpoint(needs="db"), "services.cache.needs is 'db', not a list of texts"),
        (_endpoint(url=["x"]), "services.cache.url is ['x'], not a text"),
        (_endpoint(database=[]), "services.cache.database is [], not a text or a whole number"),
    ],
)
def test_a_damaged_description(tmp_path: Path, content: object, fault: str) -> None:
    path = _write(tmp_path / "runtime.json", content)
    with pytest.raises(ManifestError) as caught:
        load_runtime(path)
    message = str(caught.value)
    assert message.startswith(f"runtime description {path} is damaged: {fault}")
    assert message.endswith("; it is written by the launcher, not by hand")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[" * 100_000, "it is nested too deeply"),
        (b"\xff", "it is not UTF-8"),
        ([], "it is [], not an object"),
        (_INFO | {"ready_databases": "a"}, "ready_databases is 'a', not a list of texts"),
        (
            _INFO | {"removed": ["base/../../etc"]},
            "removed[0] is 'base/../../etc', not a path that stays in the template",
        ),
        (_INFO | {"server_version_num": "18"}, "server_version_num is '18', not a whole number"),
    ],
)
def test_a_damaged_description_of_a_template(tmp_path: Path, content: object, fault: str) -> None:
    path = _write(tmp_path / "info.json", content)
    with pytest.raises(ManifestError) as caught:
        read_info(_SPEC, path)
    assert str(caught.value) == (
        f"service 'db' (//a:db): cannot read {path}: {caught.value.__context__}; the build action of the service writes "
        "it: rebuild the target"
    )
    assert str(caught.value.__context__).startswith(fault)
