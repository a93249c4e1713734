"""What sessions that were killed together with their guardians have left, and its removal.

A lock proves it: whoever lives in a directory holds one on it, and the kernel lets go of it with the process. What is
looked at is locked meanwhile, as its owner would do it, so that nobody can begin to use it while it is removed. A
directory is locked just after it is made, so one that nobody holds may still be too young to tell.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from realservices.cli.places import discovery_directory
from realservices.cli.running import FOLDER
from realservices.contract.offers import OFFER_SUFFIX, OFFERS, end_offer, look_at, offer_path, present_offers
from realservices.contract.registry import present_registries
from realservices.contract.session_directory import ALIVE, SESSION_BASE, SESSION_PREFIX, SHARED_SESSION_BASE
from realservices.dev.discovery import ServiceDiscovery
from realservices.host.sandbox import (
    MEMORY_PREFIX,
    PRIVATE_PREFIX,
    SHARED_MEMORY,
    SHORT_BASES,
    lock_directory,
    remove_tree,
)
from realservices.sources.services import project_root
from realservices.sources.template_cache import cache_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

YOUNG_S = 60.0
_PORT_LOCK = "lock of a block of ports"
_PLACE = "mark of a service_group or an `up`"
_WARM = "warm services that wait"
_OFFER_LOCK = "lock of warm services"
_DISCOVERY_FILE = "discovery file in this project"
_CONTROL = "control.sock"


class State(StrEnum):
    """What is to be said of something that was found."""

    LEFT = "left"
    """Nobody holds it; it is still there."""
    REMOVED = "removed"
    IN_USE = "in use"
    FAILED = "failed"
    """It could not be removed."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing that was found.

    Attributes:
        what: What it is, in words.
        path: Where.
        size_bytes: How much space it takes.
        state: What was done about it.
        reason: Why it could not be removed.
    """

    what: str
    path: str
    size_bytes: int
    state: State
    reason: str = ""

    @property
    def is_lock(self) -> bool:
        """Whether it is a mere lock, which takes no space and which the next launcher may take again."""
        return self.what in (_PORT_LOCK, _PLACE, _OFFER_LOCK)


def sweep(*, remove: bool, templates: bool = False, warm: bool = False) -> Iterator[Leftover]:
    """Give all that was left, and what looks like it but is in use.

    Args:
        remove: Remove it as it is found.
        warm: Also services that wait for a session, which has its own started then.
        templates: Also unpacked and built templates, which nobody has left but anybody can make again.
    """
    # First: their end leaves nothing.
    for name in present_offers():
        yield _offer(name, remove, warm)
    for path in _entries(SHARED_MEMORY, MEMORY_PREFIX):
        yield _directory("private copy in shared memory", path, remove)
    for base in SHORT_BASES:
        for path in _entries(base, PRIVATE_PREFIX):
            if _is_young(path):
                continue
            yield _directory("directory of a launcher", path, remove)
    for base in (SESSION_BASE, SHARED_SESSION_BASE):
        for path in _entries(base, SESSION_PREFIX):
            yield from _session(path, remove)
    for registry in present_registries():
        for path in _entries(f"{registry}/slots"):
            yield from _lock_file(_PORT_LOCK, path, remove)
        for path in _entries(f"{registry}/{FOLDER}"):
            yield from _lock_file(_PLACE, path, remove)
        for path in _entries(f"{registry}/{OFFERS}"):
            # Not the keeper's, which stays.
            if path.endswith(f"{OFFER_SUFFIX}.lock"):
                yield from _lock_file(_OFFER_LOCK, path, remove)
        yield from _templates(f"{registry}/templates", "unpacked template", remove, templates)
    yield from _templates(_cache(), "built template", remove, templates)
    yield from _discovery_files(remove)


def _offer(name: str, remove: bool, wanted: bool) -> Leftover:
    path = offer_path(name)
    if not look_at(name):
        return _dealt_with("mark of warm services that were killed", path, remove)
    if not wanted:
        return Leftover(_WARM, path, 0, State.IN_USE)
    if not remove:
        return Leftover(_WARM, path, 0, State.LEFT)
    if end_offer(name):
        return Leftover(_WARM, path, 0, State.REMOVED)
    return Leftover(_WARM, path, 0, State.FAILED, "somebody has just taken them")


def _cache() -> str:
    try:
        return str(cache_directory())
    except RuntimeError:
        return ""  # No HOME, and nobody knows this user: there is none.


def _directory(what: str, path: str, remove: bool) -> Leftover:
    lock = lock_directory(path, wait=False)
    if lock < 0 or _has_listener(path):
        if lock >= 0:
            os.close(lock)
        return Leftover(what, path, tree_size(path), State.IN_USE)
    try:
        return _dealt_with(what, path, remove)
    finally:
        os.close(lock)


def _session(path: str, remove: bool) -> Iterator[Leftover]:
    what = "directory of a session"
    # One that is being made has no FIFO yet, and must not find its lock taken.
    if not os.path.exists(f"{path}/{ALIVE}") and _is_young(path):
        return
    yield _directory(what, path, remove)


def _lock_file(what: str, path: str, remove: bool) -> Iterator[Leftover]:
    lock = _locked_file(path)
    if lock is None:
        yield Leftover(what, path, 0, State.IN_USE)
        return
    try:
        # As its owner does (host/slots.py): removed while it is locked, and only if others would open this one.
        if os.fstat(lock).st_ino == os.stat(path).st_ino:
            yield _dealt_with(what, path, remove)
    except FileNotFoundError:
        pass
    finally:
        os.close(lock)


def _discovery_files(remove: bool) -> Iterator[Leftover]:
    """Those of the project that one stands in: nobody has a list of all projects."""
    directory = discovery_directory(project_root())
    stale = ServiceDiscovery(directory).stale_files()
    for path in stale:
        yield _dealt_with(_DISCOVERY_FILE, str(path), remove)
    if remove and stale:
        try:
            directory.rmdir()
        except OSError:
            pass  # Others have files there.


def _templates(directory: str, what: str, remove: bool, wanted: bool) -> Iterator[Leftover]:
    for path in _entries(directory):
        name = os.path.basename(path)
        if not os.path.isdir(path):
            continue  # A lock: others may have it open, and it takes no space.
        is_partial = name.endswith(".partial")
        if not (is_partial or wanted):
            continue
        digest = f"{directory}/{name.partition('.')[0]}"
        yield _template(f"{what}, half made" if is_partial else what, path, digest, remove)


def _template(what: str, path: str, digest: str, remove: bool) -> Leftover:
    # Those who unpack or build one hold a lock of their own for that, those who use it the other one.
    locks = [_locked_file(f"{digest}{suffix}") for suffix in (".lock", ".unpacking", ".building")]
    try:
        if None in locks:
            return Leftover(what, path, tree_size(path), State.IN_USE)
        return _dealt_with(what, path, remove)
    finally:
        for lock in locks:
            if lock is not None and lock >= 0:
                os.close(lock)


def _dealt_with(what: str, path: str, remove: bool) -> Leftover:
    size = tree_size(path)
    if not remove:
        return Leftover(what, path, size, State.LEFT)
    try:
        if os.path.isdir(path):
            remove_tree(path)
        else:
            os.unlink(path)
    except OSError as error:
        return Leftover(what, path, size, State.FAILED, error.strerror or str(error))
    return Leftover(what, path, size, State.REMOVED)


def _locked_file(path: str) -> int | None:
    """Lock a file and return its descriptor: None if somebody else has it, -1 if there is none."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return -1
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _has_listener(directory: str) -> bool:
    """Say whether somebody listens on a unix socket in there: a server that has outlived the holder of the lock."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(f"{directory}/{_CONTROL}")
        except OSError:
            return f" {directory}/" in _bound_sockets()
    return True


def _bound_sockets() -> str:
    """Return the kernel's list of unix sockets (Linux, proc(5)), or ""."""
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _is_young(path: str) -> bool:
    try:
        return time.time() - os.lstat(path).st_mtime < YOUNG_S
    except OSError:
        return True  # Gone.


def _entries(directory: str, prefix: str = "") -> list[str]:
    """Return this user's own entries of a directory whose names begin so."""
    try:
        entries = list(os.scandir(directory))
    except OSError:
        return []
    found = []
    for entry in entries:
        try:
            if entry.name.startswith(prefix) and entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                found.append(entry.path)
        except OSError:
            continue  # Gone meanwhile.
    return sorted(path for path in found if not os.path.islink(path))


def tree_size(path: str) -> int:
    """Return how much a file or a tree takes; files with several names count in part for each."""
    paths = [path, *(os.path.join(root, name) for root, _, names in os.walk(path) for name in names)]
    size = 0
    for each in paths:
        try:
            status = os.lstat(each)
        except OSError:
            continue
        if not os.path.isdir(each):
            size += status.st_size // max(1, status.st_nlink)
    return size
