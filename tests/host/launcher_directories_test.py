"""The launcher's directories, and their removal whatever a test did to them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from realservices.contract.errors import InfrastructureError
from realservices.host.launcher_directories import LauncherDirectories
from realservices.system.locks import lock_abandoned_directory


def test_its_directories_are_private_and_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TMPDIR", str(tmp_path))
    directories = LauncherDirectories()
    assert not any(os.path.exists(path) for path in directories.paths)
    directories.create()
    try:
        for path in (directories.private, directories.root, directories.home, directories.temporary):
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o700, path
        assert Path(directories.root).parent == tmp_path
        name = directories.socket_name("n" * 200, ".65535/.s.PGSQL.65535")
        assert len(f"{directories.private}/{name}.65535/.s.PGSQL.65535") == 107
        assert len(name) > 20
    finally:
        directories.remove()
    assert not any(os.path.exists(path) for path in directories.paths)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_says_that_somebody_lives_in_it() -> None:
    directories = LauncherDirectories()
    directories.create()
    assert lock_abandoned_directory(directories.private) == -1
    directories.remove()
    assert lock_abandoned_directory(directories.private) == -1  # There is nothing to lock any more.


def test_two_at_once_share_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TMPDIR", str(tmp_path))
    first, second = LauncherDirectories(), LauncherDirectories()
    first.create()
    second.create()
    assert not set(first.paths) & set(second.paths)
    first.remove()
    assert os.path.isdir(second.root)
    second.remove()


def test_outside_of_bazel_it_has_no_directory_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_TMPDIR", raising=False)
    directories = LauncherDirectories()
    directories.create()
    assert directories.root.startswith(directories.private + "/")
    directories.remove()
    assert not os.path.exists(directories.private)


def test_a_base_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEST_TMPDIR", f"{tmp_path}/none")
    directories = LauncherDirectories()
    with pytest.raises(InfrastructureError) as caught:
        directories.create()
    assert caught.value.component == "directories"
    assert caught.value.reason == f"cannot make {directories.root}: No such file or directory"
    directories.remove()
    assert not os.path.exists(directories.private)
