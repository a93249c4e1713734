"""Programs in an archive: packed the same everywhere, unpacked once for a machine, or where programs may run."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from realservices.contract.errors import ArchiveError
from realservices.host.unpacked_programs import UnpackedPrograms
from realservices.kinds.postgres.template import programs as programs_archive
from realservices.system.registry_directory import registry_directory


@pytest.fixture(autouse=True)
def _registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_REGISTRY", str(tmp_path / "registry"))


def _install(directory: Path) -> Path:
    (directory / "server" / "bin").mkdir(parents=True)
    (directory / "server" / "bin" / "run").write_text("#!/bin/sh\necho runs\n")
    (directory / "server" / "share").mkdir()
    (directory / "server" / "share" / "data").write_text("data")
    (directory / "libs").mkdir()
    (directory / "libs" / "lib.so").write_text("library")
    return directory


def _pack(root: Path, into: Path) -> tuple[Path, dict[str, object]]:
    into.mkdir()
    options = ["--root", str(root), "--output", str(into / "a.tar"), "--info", str(into / "a.json")]
    paths = [str(root / "server"), str(root / "libs" / "lib.so")]
    assert programs_archive.main([*options, *paths]) == 0
    return into / "a.tar", json.loads((into / "a.json").read_text())


@pytest.fixture
def packed(tmp_path: Path) -> tuple[Path, dict[str, object]]:
    """Return an archive of a program, and its description."""
    root = _install(tmp_path / "installed")
    (root / "server" / "bin" / "run").chmod(0o755)
    return _pack(root, tmp_path / "packed")


def test_links_of_a_sandbox_and_modes_of_a_machine_make_no_difference(
    packed: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    root = _install(tmp_path / "elsewhere")
    (root / "server" / "bin" / "run").chmod(0o555)
    (root / "server" / "share").chmod(0o755)
    data = root / "server" / "share" / "data"
    data.rename(tmp_path / "data")
    data.symlink_to(tmp_path / "data")
    again, info = _pack(root, tmp_path / "again")
    assert (again.read_bytes(), info) == (packed[0].read_bytes(), packed[1])


def test_programs_are_unpacked_once_for_a_machine(packed: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    archive, info = packed
    first, second = (UnpackedPrograms(str(archive), info, str(tmp_path / "own")) for _ in range(2))
    assert not first.are_there()
    assert first.path().startswith(registry_directory())
    assert second.are_there()
    archive.unlink()
    assert second.path() == first.path()
    assert subprocess.check_output([f"{first.path()}/server/bin/run"], text=True) == "runs\n"
    assert Path(first.path(), "libs", "lib.so").read_text() == "library"
    for programs in (first, second):
        programs.release()


def test_where_nothing_may_run_in_shared_memory_a_tree_of_its_own_is_made(
    packed: tuple[Path, dict[str, object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs

    def statvfs(path: str) -> os.statvfs_result:
        status = real(path)
        return os.statvfs_result((*status[:8], status.f_flag | os.ST_NOEXEC, status.f_namemax))

    monkeypatch.setattr(os, "statvfs", statvfs)
    own = tmp_path / "own"
    # One process makes it, another one uses it.
    for _ in range(2):
        programs = UnpackedPrograms(str(packed[0]), packed[1], str(own))
        assert programs.path() == str(own)
    assert subprocess.check_output([f"{own}/server/bin/run"], text=True) == "runs\n"


def test_a_damaged_archive_is_refused(packed: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    archive, info = packed
    archive.write_bytes(archive.read_bytes().replace(b"echo runs", b"echo rats"))
    with pytest.raises(ArchiveError, match="its content has changed"):
        UnpackedPrograms(str(archive), info, str(tmp_path / "own")).path()
