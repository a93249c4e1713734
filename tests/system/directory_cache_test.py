"""Caches of directories: each made once, none removed that is used, and nothing piles up, whoever is killed when."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import realservices
from realservices.system.directory_cache import DirectoryCache, is_own_directory

_ROOT = Path(realservices.__file__).absolute().parent.parent
# Makes "NAME" and is killed half-way.
_KILLED = """
import os, signal, sys
from realservices.system.directory_cache import DirectoryCache
def make(path):
    os.mkdir(path)
    open(path + "/half", "w").close()
    os.kill(os.getpid(), signal.SIGKILL)
DirectoryCache(sys.argv[1], "making", size_of=lambda path: 1).lease(sys.argv[2], make, lambda: None)
"""
# Leases directories of three names again and again, each made anew as each is thrown away at once.
_VISIT = """
import os, sys
from realservices.system.directory_cache import DirectoryCache
def make(path):
    os.mkdir(path, 0o700)
    for name in ("one", "two"):
        open(path + "/" + name, "w").close()
cache = DirectoryCache(sys.argv[1], "making", size_of=lambda path: 1)
for number in range(200):
    name = "abc"[(number + int(sys.argv[2])) % 3]
    lease = cache.lease(name, make, lambda: None)
    assert sorted(os.listdir(lease.path)) == ["one", "two"]
    assert not cache.evict(name)
    assert sorted(os.listdir(lease.path)) == ["one", "two"]
    lease.release()
    cache.evict(name)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return the cache's directory."""
    return tmp_path / "cache"


@pytest.fixture
def cache(place: Path) -> DirectoryCache:
    """Return a cache whose directories are whole when they have a file `whole`."""
    return DirectoryCache(
        str(place), "making", is_whole=lambda path: Path(path, "whole").exists(), size_of=lambda path: 1
    )


def _make(path: str) -> None:
    Path(path).mkdir(mode=0o700)
    Path(path, "whole").touch()


def _lease(cache: DirectoryCache, name: str, make: Callable[[str], None] = _make) -> None:
    cache.lease(name, make, lambda: None).release()


def _never(path: str) -> None:
    raise AssertionError(path)


def _kill_one_that_makes(place: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(place), name], env={"PYTHONPATH": str(_ROOT)}, check=False
    )
    assert done.returncode == -9
    assert len(list(place.glob(f"{name}.*.partial/half"))) == 1


def _names(place: Path) -> list[str]:
    return sorted(entry.name for entry in place.iterdir())


def test_what_killed_processes_left_goes_with_the_next_that_is_made(cache: DirectoryCache, place: Path) -> None:
    for name in ("old", "older", "new"):
        _kill_one_that_makes(place, name)
    _lease(cache, "new")
    assert _names(place) == ["new", "new.lock", "new.making"]


def test_who_finds_its_own_does_not_look(cache: DirectoryCache, place: Path) -> None:
    _lease(cache, "mine")
    _kill_one_that_makes(place, "other")
    _lease(cache, "mine", _never)
    assert list(place.glob("other.*.partial"))


def test_locks_of_what_is_gone_go_too(cache: DirectoryCache, place: Path) -> None:
    place.mkdir(exist_ok=True)
    for name in ("gone.lock", "gone.making", "half.making", "used.lock"):
        (place / name).touch()
    with (place / "used.lock").open() as used:
        fcntl.flock(used, fcntl.LOCK_SH)
        _lease(cache, "new")
        assert _names(place) == ["new", "new.lock", "new.making", "used.lock"]


def test_a_directory_goes_with_its_locks(cache: DirectoryCache, place: Path) -> None:
    _lease(cache, "one")
    assert cache.evict("one")
    assert _names(place) == []


def test_what_is_not_whole_is_made_again(cache: DirectoryCache, place: Path) -> None:
    _lease(cache, "one")
    (place / "one" / "whole").unlink()
    _lease(cache, "one")
    assert (place / "one" / "whole").exists()
    _lease(cache, "one", _never)


def test_what_fails_leaves_nothing_that_is_used(cache: DirectoryCache, place: Path) -> None:
    with pytest.raises(AssertionError):
        _lease(cache, "one", _never)
    assert not (place / "one").exists()
    _lease(cache, "one")


def test_what_belongs_to_another_user_is_not_used(cache: DirectoryCache, place: Path) -> None:
    _make(str(place / "one"))
    try:
        os.chown(place / "one", 12345, 12345)
    except OSError:
        pytest.skip("only real root can give a directory away")
    assert not is_own_directory(str(place / "one"))
    _lease(cache, "one")
    assert is_own_directory(str(place / "one"))


def test_a_lock_that_is_a_link_is_not_followed(cache: DirectoryCache, place: Path, tmp_path: Path) -> None:
    (place / "one.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"one\.lock"):
        _lease(cache, "one")
    assert not (tmp_path / "elsewhere").exists()


def test_many_at_once_never_see_half_a_directory(place: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", _VISIT, str(place), str(number)], env={"PYTHONPATH": str(_ROOT)})
        for number in range(4)
    ]
    try:
        assert [process.wait(60) for process in processes] == [0] * 4
    finally:
        for process in processes:
            process.kill()
    # Those who threw away last left nothing; one whose last directory was used by another left that.
    assert {name.partition(".")[0] for name in os.listdir(place)} <= {"a", "b", "c"}
    assert not list(place.glob("*.partial"))


def test_only_what_is_there_is_leased_by_who_does_not_make_it(cache: DirectoryCache, place: Path) -> None:
    assert cache.lease_made("a") is None
    assert list(place.iterdir()) == []
    _lease(cache, "a")
    lease = cache.lease_made("a")
    assert lease is not None
    assert not cache.evict("a")
    lease.release()
    assert cache.evict("a")
    assert cache.lease_made("a") is None


def test_each_is_measured_once(place: Path) -> None:
    measured = []

    def measure(path: str) -> int:
        measured.append(os.path.basename(path))
        return 12345

    for _ in range(2):
        cache = DirectoryCache(str(place), "making", size_of=measure)
        _lease(cache, "a")
        used = os.stat(place / "a.lock").st_mtime
        assert cache.kept() == [(used, "a", 12345)]
    assert measured == ["a"]
    assert cache.evict("a")
    _lease(cache, "a")
    assert len(cache.kept()) == 1
    assert measured == ["a", "a"]


def test_a_note_that_is_no_number_is_measured_again(cache: DirectoryCache, place: Path) -> None:
    _lease(cache, "a")
    (place / "a.lock").write_text("12 x", encoding="ascii")
    assert [size for _, _, size in cache.kept()] == [1]
    assert (place / "a.lock").read_text(encoding="ascii") == "1"
