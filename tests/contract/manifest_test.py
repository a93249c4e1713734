"""Manifests: read as written, and refused with a remedy where they are not what this launcher reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realservices.contract.errors import ManifestError
from realservices.system.bazel_files import load_manifest

_REDIS = {"server": "redis/redis-server", "databases": 4, "settings": {}}
_POSTGRES = {
    "distribution": "pg", "template": "db.tar", "template_info": "db.json", "user": "test", "database": "test",
    "settings": {"fsync": "on"},
}  # fmt: skip
_EXECUTABLE: dict[str, Any] = {
    "program": "auth", "args": [["--port", {"service": "", "field": "port", "port": "http"}]], "env": {"A": [{"file": "x"}]},
    "password": False, "ports": ["http"], "url": ["http://"], "websocket_url": [],
    "ready": {"type": "http", "port": "http", "path": "/", "status": [[200, 399]]},
    "ready_timeout_s": 60, "stop_signal": "SIGTERM", "grace_s": 5.0,
}  # fmt: skip
_CACHE = {"name": "cache", "kind": "redis", "label": "//a:cache", "needs": [], "config": _REDIS}
_SERVICE = {"name": "db", "kind": "postgres", "label": "//a:db", "needs": ["cache"], "config": _POSTGRES}
_AUTH = {"name": "auth", "kind": "executable", "label": "//a:auth", "needs": ["db"], "config": _EXECUTABLE}
_MANIFEST: dict[str, Any] = {
    "version": 1,
    "label": "//a:a_test",
    "services": [_CACHE, _SERVICE, _AUTH],
    "test": {"runner": "pytest", "files": ["_main/a/a_test.py"], "import_paths": ["_main"], "durations": None},
    "env": {"DB": ["x", {"service": "db", "field": "url"}]},
    "isolation": "database",
}


def _with(**changes: object) -> dict[str, Any]:
    return _MANIFEST | changes


def _redis(**changes: object) -> dict[str, Any]:
    return _with(services=[{**_CACHE, "config": _REDIS | changes}])


def _auth(**changes: object) -> dict[str, Any]:
    return _with(services=[_CACHE, _SERVICE, {**_AUTH, "config": _EXECUTABLE | changes}])


def _write(path: Path, content: object) -> str:
    text = content if isinstance(content, (str, bytes)) else json.dumps(content).replace("Infinity", "1e999")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_everything_is_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "m.json", _MANIFEST)
    manifest = load_manifest(path)
    _, service, _ = manifest.services
    assert (service.name, service.kind, service.label) == ("db", "postgres", "//a:db")
    assert (service.needs, service.config) == (["cache"], _POSTGRES)
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
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ('{"version": 1, "lab', "Unterminated string"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"version": NaN}', "NaN is not a JSON number"),
        (b"\xff\xfe\x00", "it is not UTF-8: "),
        ("[]", "it is [], not an object"),
        ("null", "it is None, not an object"),
        ("{}", "version is missing"),
        (_with(services=[{"name": "db"}]), "services[0].kind is missing: a text"),
        ({key: value for key, value in _MANIFEST.items() if key != "env"}, "env is missing: an object"),
        (_with(test={}), "test.runner is missing: one of executable, pytest, services"),
        (_with(test={"runner": "unittest"}), "test.runner is 'unittest', not one of executable, pytest, services"),
        (_with(test={"runner": "pytest", "files": "a_test.py"}), "test.files is 'a_test.py', not a list of texts"),
        (_with(services=None), "services is None, not a list of objects"),
        (_with(label=["//a"]), "label is ['//a'], not a text"),
        (_with(isolation="none"), "isolation is 'none', not one of database, transaction"),
        (_with(env={"A=B": ["x"]}), "env: the key is 'A=B', not a name of a variable"),
        (_with(env={"A": "x"}), "env.A is 'x', not a list, each a text or an object"),
        (_with(env={"A": [{"service": 5, "field": "url"}]}), "env.A[0].service is 5, not a text"),
        (_with(services=[_SERVICE]), "services[0].needs is ['cache'], not names of services before it (none)"),
        (_with(services=[{**_CACHE, "needs": ["cache"]}]), "services[0].needs is ['cache'], not names of services"),
        (_with(services=[_CACHE, _CACHE]), "services[1].name is 'cache', not a name that no other service has"),
        (_with(services=[{**_CACHE, "name": "../x"}]), "services[0].name is '../x', not a text of letters, digits"),
        (_with(services=[{**_CACHE, "name": "x" * 201}]), "services[0].name is 'xx"),
        (_with(services=[{**_CACHE, "name": "a\0"}]), r"services[0].name is 'a\x00', not a text of letters, digits"),
        (_redis(databases=1e999), "services[0].config.databases is inf, not a whole number from 1 to 65536"),
        (_redis(databases="4"), "services[0].config.databases is '4', not a whole number from 1 to 65536"),
        (_redis(settings={"maxmemory": 1}), "services[0].config.settings.maxmemory is 1, not a text"),
        (_auth(stop_signal="SIGNONE"), "services[2].config.stop_signal is 'SIGNONE', not the name of a signal, such"),
        (_auth(ready_timeout_s=1e999), "services[2].config.ready_timeout_s is inf, not a number above 0"),
        (_auth(grace_s=-1), "services[2].config.grace_s is -1, not a number from 0 on"),
        (_auth(args=["x"]), "services[2].config.args[0] is 'x', not a list, each a text or an object"),
        (_auth(ready={"type": "tcp"}), "services[2].config.ready.ports is missing: a list of texts"),
        (_auth(ready={"type": "ftp"}), "services[2].config.ready.type is 'ftp', not one of exec, http, log, tcp"),
        (_auth(ready={"type": "tcp", "ports": ["x"]}), "services[2].config.ready is 'x', not one of its ports (http)"),
    ],
)
def test_a_damaged_manifest(tmp_path: Path, content: object, fault: str) -> None:
    path = _write(tmp_path / "m.json", content)
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    message = str(caught.value)
    assert message.startswith(f"manifest {path} is damaged: {fault}")
    assert message.endswith("; it is written by real_service_test, not by hand: rebuild the target")


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
