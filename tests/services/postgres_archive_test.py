from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from realservices.host.archive import unpack_archive
from realservices.services.postgres_archive import write_archive


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    (directory / "base" / "1").mkdir(parents=True)
    (directory / "base" / "2").mkdir()
    (directory / "postmaster.opts").touch()
    (directory / "base" / "1" / "full").write_bytes(b"x" * 1000)
    (directory / "base" / "1" / "empty").touch()
    (directory / "base" / "2" / "stale").touch()
    return directory


def test_a_copy_has_the_files_of_its_original(tmp_path: Path, data: Path) -> None:
    archive = tmp_path / "a.tar"
    described = write_archive(str(data), str(archive), {"base/2": "base/1"})
    with tarfile.open(archive) as tar:
        kinds = {member.name: member.type for member in tar.getmembers()}
    assert kinds == {
        "base": tarfile.DIRTYPE,
        "base/1": tarfile.DIRTYPE,
        "base/1/empty": tarfile.REGTYPE,
        "base/1/full": tarfile.REGTYPE,
        "base/2": tarfile.DIRTYPE,
        "base/2/empty": tarfile.REGTYPE,
        "base/2/full": tarfile.LNKTYPE,
    }
    assert described == {
        "digest": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "size_bytes": 1000,
        "copy_size_bytes": 2000,
    }


def test_what_is_written_is_what_is_unpacked(tmp_path: Path, data: Path) -> None:
    deep = data / "pg_tblspc" / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"deep")
    (data / "again").write_bytes(b"x" * 1000)
    (data / "link").symlink_to("base")
    archive = tmp_path / "a.tar"
    digest = str(write_archive(str(data), str(archive), {})["digest"])
    unpack_archive(str(archive), str(tmp_path / "out"), digest=digest)
    for path in data.rglob("*"):
        other = tmp_path / "out" / path.relative_to(data)
        assert other.is_symlink() == path.is_symlink()
        if path.is_file():
            assert other.read_bytes() == path.read_bytes()


def test_a_name_that_no_archive_holds_is_refused(tmp_path: Path, data: Path) -> None:
    (data / ("n" * 101)).touch()
    with pytest.raises(ValueError, match="is too long for an archive"):
        write_archive(str(data), str(tmp_path / "a.tar"), {})
