"""Locks between processes: exclusive, released with their holder, and never on a file that is gone."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from realservices.system.locks import (
    SHARED,
    FileLock,
    lock_abandoned_directory,
    lock_file,
    lock_present_file,
    make_locked_directory,
    share_locked_directory,
    try_lock,
    unlock,
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lock")


def test_a_file_is_locked_once(path: str) -> None:
    held = lock_file(path)
    with pytest.raises(BlockingIOError):
        lock_file(path)
    with pytest.raises(BlockingIOError):
        lock_present_file(path, SHARED)
    os.close(held)
    os.close(lock_file(path))


def test_a_file_is_shared(path: str) -> None:
    first, second = lock_file(path, SHARED), lock_present_file(path, SHARED)
    assert not try_lock(first)
    os.close(second)
    assert try_lock(first)
    os.close(first)


def test_who_waits_for_a_file_that_is_removed_locks_the_new_one(path: str) -> None:
    held = lock_file(path)
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(lock_file(path, waits=True)))
    waiting.start()
    while not _has_waiter(path):
        assert waiting.is_alive()
    Path(path).unlink()
    os.close(held)
    waiting.join()
    assert os.path.samestat(os.fstat(found[0]), os.lstat(path))
    os.close(found[0])


def _has_waiter(path: str) -> bool:
    """Return whether a process waits for a file's lock (proc_locks(5))."""
    inode = f":{os.lstat(path).st_ino}"
    lines = Path("/proc/locks").read_text("ascii").splitlines()
    return any("->" in line and any(word.endswith(inode) for word in line.split()) for line in lines)


def test_a_file_that_is_not_there_is_not_made(path: str) -> None:
    with pytest.raises(FileNotFoundError, match="lock"):
        lock_present_file(path)
    assert not os.path.lexists(path)


def test_no_link_is_followed(path: str, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    Path(path).symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic links"):
        lock_file(path)


def test_a_lock_is_released_though_a_child_has_inherited_it(path: str) -> None:
    lock = FileLock(path)
    assert lock.try_acquire()
    inherited = os.dup(lock._descriptor)  # What fork(2) does to it.
    assert not FileLock(path).try_acquire()
    lock.release()
    with FileLock(path) as again:
        assert (lock.is_held, again.is_held) == (False, True)
    assert not again.is_held
    os.close(inherited)


def test_a_directory_is_locked_from_its_first_moment(tmp_path: Path) -> None:
    held = make_locked_directory(f"{tmp_path}/one")
    assert os.listdir(tmp_path) == ["one"]
    assert lock_abandoned_directory(f"{tmp_path}/one") == -1
    shared = share_locked_directory(f"{tmp_path}/one")
    os.close(held)
    assert lock_abandoned_directory(f"{tmp_path}/one") == -1
    unlock(shared)
    left = lock_abandoned_directory(f"{tmp_path}/one")
    assert left >= 0
    with pytest.raises(BlockingIOError):
        share_locked_directory(f"{tmp_path}/one")
    os.close(left)
    os.close(shared)


def test_a_directory_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    with pytest.raises(NotADirectoryError):
        make_locked_directory(f"{tmp_path}/one")
    assert os.listdir(tmp_path) == ["one"]
    assert lock_abandoned_directory(f"{tmp_path}/one") == -1
    assert lock_abandoned_directory(f"{tmp_path}/two") == -1
