from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from realservices.host.archive import unpack_archive
from realservices.kinds.postgres.template.archive import files_of, write_archive


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    (directory / "base" / "1").mkdir(parents=True)
    (directory / "base" / "2").mkdir()
    (directory / "base" / "1" / "full").write_bytes(b"x" * 1000)
    (directory / "base" / "1" / "empty").touch()
    (directory / "base" / "2" / "stale").touch()
    return directory


def test_nothing_of_a_copy_is_in_the_archive(tmp_path: Path, data: Path) -> None:
    archive = tmp_path / "a.tar"
    copies = {"base/2": "base/1"}
    described = write_archive(str(data), str(archive), files_of(str(data), copies), copies)
    with tarfile.open(archive) as tar:
        kinds = {member.name: member.type for member in tar.getmembers()}
    assert kinds == {
        "base": tarfile.DIRTYPE,
        "base/1": tarfile.DIRTYPE,
        "base/1/empty": tarfile.REGTYPE,
        "base/1/full": tarfile.REGTYPE,
    }
    assert described == {
        "archive_digest": hashlib.sha256(archive.read_bytes()).hexdigest(),
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
    digest = str(write_archive(str(data), str(archive), files_of(str(data)), {})["archive_digest"])
    unpack_archive(str(archive), str(tmp_path / "out"), digest=digest)
    for path in data.rglob("*"):
        other = tmp_path / "out" / path.relative_to(data)
        assert other.is_symlink() == path.is_symlink()
        if path.is_file():
            assert other.read_bytes() == path.read_bytes()


def test_of_what_is_kept_elsewhere_not_even_the_directories_are_in_the_archive(tmp_path: Path, data: Path) -> None:
    for name in ("base/3", "base/4", "new"):
        (data / name).mkdir()
    for name in ("base/3/same", "base/4/same", "base/4/changed"):
        (data / name).touch()
    archive = tmp_path / "a.tar"
    kept = {"base/1/full", "base/1/empty", "base/2/stale", "base/3/same", "base/4/same"}
    described = write_archive(str(data), str(archive), files_of(str(data)), {}, kept)
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["base", "new", "base/4", "base/4/changed"]
    assert (described["size_bytes"], described["copy_size_bytes"]) == (0, 1000)


def test_a_name_that_no_archive_holds_is_refused(tmp_path: Path, data: Path) -> None:
    (data / ("n" * 101)).touch()
    with pytest.raises(ValueError, match="is too long for an archive"):
        write_archive(str(data), str(tmp_path / "a.tar"), files_of(str(data)), {})
