"""Manifests: read as written, and refused with a remedy where they are not what this launcher reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realservices.contract.errors import ManifestError
from realservices.contract.manifest import load_manifest

_SERVICE = {"name": "db", "kind": "postgres", "label": "//a:db", "needs": ["cache"], "config": {"user": "test"}}
_MANIFEST: dict[str, Any] = {
    "version": 1,
    "label": "//a:a_test",
    "services": [_SERVICE],
    "test": {"runner": "pytest", "files": ["_main/a/a_test.py"], "import_paths": ["_main"], "durations": None},
    "env": {"DB": ["x", {"service": "db", "field": "url"}]},
    "isolation": "database",
}


def _write(path: Path, content: object) -> str:
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return str(path)


def test_everything_is_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "m.json", _MANIFEST)
    manifest = load_manifest(path)
    (service,) = manifest.services
    assert (service.name, service.kind, service.label) == ("db", "postgres", "//a:db")
    assert (service.needs, service.config) == (["cache"], {"user": "test"})
    assert (manifest.path, manifest.label, manifest.isolation) == (path, "//a:a_test", "database")
    assert manifest.env == {"DB": ["x", {"service": "db", "field": "url"}]}
    assert (manifest.test.runner, manifest.test.files) == ("pytest", ["_main/a/a_test.py"])
    assert (manifest.test.import_paths, manifest.test.durations, manifest.test.program) == (["_main"], None, "")


def test_a_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        load_manifest(f"{tmp_path}/missing.json")
    assert str(caught.value) == (
        f"cannot read manifest {tmp_path}/missing.json: No such file or directory; build the target with Bazel first"
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "JSONDecodeError: Expecting value"),
        ('{"version": 1, "lab', "JSONDecodeError: Unterminated string"),
        ("[]", "TypeError: list indices"),
        ("null", "TypeError: 'NoneType' object"),
        ({**_MANIFEST, "services": [{"name": "db"}]}, "KeyError: 'kind'"),
        ({key: value for key, value in _MANIFEST.items() if key != "env"}, "KeyError: 'env'"),
        ({**_MANIFEST, "test": {}}, "KeyError: 'runner'"),
        ({**_MANIFEST, "services": None}, "TypeError: 'NoneType' object is not iterable"),
    ],
    ids=["empty", "cut off", "a list", "null", "half a service", "no env", "no runner", "no services"],
)
def test_a_damaged_manifest(tmp_path: Path, content: object, fault: str) -> None:
    path = _write(tmp_path / "m.json", content)
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    message = str(caught.value)
    assert message.startswith(f"manifest {path} is damaged ({fault}")
    assert message.endswith("; it is written by real_service_test, not by hand: rebuild the target")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="is damaged"):
        load_manifest(str(tmp_path / "m.json"))


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version(tmp_path: Path, version: object) -> None:
    # It may lack everything else that version 1 has.
    path = _write(tmp_path / "m.json", {"version": version})
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    assert str(caught.value) == (
        f"manifest {path} has version {version!r}, this launcher reads version 1: rules and launcher come from different "
        "releases of rules_realservices; rebuild the target"
    )
