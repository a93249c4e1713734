"""Damaged manifests, runtime descriptions and descriptions of templates: an error in our words, or they are whole."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any

from realservices.contract.environment import mapped_environment, service_environment
from realservices.contract.errors import ManifestError, RealServicesError
from realservices.contract.manifest import Manifest, ServiceSpec
from realservices.contract.runtime import load_runtime
from realservices.host.launcher_directories import LauncherDirectories
from realservices.services.service_classes import class_of
from realservices.services.template_description import read_info
from realservices.system.bazel_files import load_manifest
from tests.fuzz.mutations import Mutations, check_words
from tests.launcher.executables import PORT, executable
from tests.launcher.launched import postgres, redis

if TYPE_CHECKING:
    from pathlib import Path

_SERVICES = [
    redis(),
    postgres(),
    executable("auth", "listen", PORT, env={"A": ["x", {"service": "db", "field": "url"}]}, needs=("db",)),
    executable(
        "late", ports=("http", "admin"), ready={"type": "http", "port": "admin", "path": "/", "status": [[200, 399]]}
    ),
    executable("told", ready={"type": "log", "pattern": "ready"}),
]
_MANIFEST: dict[str, Any] = {
    "version": 1,
    "label": "//app:app_test",
    "services": _SERVICES,
    "test": {"runner": "pytest", "files": ["_main/a_test.py"], "import_paths": ["_main"], "durations": None},
    "env": {
        "DB": ["x", {"service": "db", "field": "url"}],
        "P": [{"service": "late", "field": "port", "port": "admin"}],
    },
    "isolation": "database",
}
_ENDPOINT = {
    "kind": "postgres", "label": "//app:db", "host": "127.0.0.1", "port": 1, "password": "x", "url": "postgresql://", "user": "test",
    "database": "test", "ports": {"postgres": 1}, "needs": ["cache"], "ready_databases": ["a"], "server_version_num": 180000,
}  # fmt: skip
_RUNTIME = {
    "version": 1, "label": "//app:a", "control": "", "sandbox": "/s", "isolation": "database", "private": "/p",
    "services": {"db": _ENDPOINT},
}  # fmt: skip
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


def test_manifests(tmp_path: Path) -> None:
    mutations = Mutations("manifest", _MANIFEST)
    path = tmp_path / "manifest.json"
    path.write_bytes(mutations.whole)
    with contextlib.suppress(RealServicesError):  # There is no template here.
        _use(load_manifest(str(path)), tmp_path)
    whole = 0
    for seed, text in mutations:
        path.write_bytes(text)
        with mutations.tried(seed, text):
            try:
                manifest = load_manifest(str(path))
            except ManifestError as error:
                check_words(error, path)
                continue
            whole += 1
            with contextlib.suppress(RealServicesError, OSError):
                _use(manifest, tmp_path)
    print(f"{whole} of the mutations are manifests all the same")


def test_runtime_descriptions(tmp_path: Path) -> None:
    mutations = Mutations("runtime description", _RUNTIME)
    path = tmp_path / "runtime.json"
    path.write_bytes(mutations.whole)
    assert load_runtime(str(path)).services["db"].needs == ["cache"]
    for seed, text in mutations:
        path.write_bytes(text)
        with mutations.tried(seed, text):
            try:
                load_runtime(str(path))
            except ManifestError as error:
                check_words(error, path)


def test_descriptions_of_templates(tmp_path: Path) -> None:
    mutations = Mutations("template", _INFO)
    spec = ServiceSpec(postgres())
    path = tmp_path / "info.json"
    path.write_bytes(mutations.whole)
    assert read_info(spec, str(path)) == _INFO
    for seed, text in mutations:
        path.write_bytes(text)
        with mutations.tried(seed, text):
            try:
                read_info(spec, str(path))
            except ManifestError as error:
                check_words(error, path)


def _use(manifest: Manifest, directory: Path) -> None:
    """Do with a manifest what the launcher does before anything starts."""
    directories = LauncherDirectories(str(directory / "sandbox"))
    directories.create()
    try:
        endpoints: dict[str, dict[str, Any]] = {}
        for spec in manifest.services:
            if spec.kind in ("postgres", "clickhouse"):
                endpoints[spec.name] = {**_ENDPOINT, "kind": spec.kind, "http_port": 1, "tcp_port": 2}
                continue
            kind = class_of(spec, spec.label, "/")
            ports = list(range(20_000, 20_000 + kind.ports_for(spec)))
            service = kind(spec, directories, str(directory), ports)
            endpoints[spec.name] = service.endpoint
            service.resolve(endpoints)
        service_environment(endpoints)
        mapped_environment(manifest.env, endpoints)
    finally:
        directories.remove()
        shutil.rmtree(directory / "sandbox", ignore_errors=True)
