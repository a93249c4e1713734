"""What sessions that were killed together with their guardians have left, and its removal.

Only this user's own directories are looked into (system/user_directory.py): what lies beside them is never ours,
whatever it is called. A lock proves that something was left: each process that lives in a
directory holds one on it, which the kernel releases with the process. What is looked at is locked meanwhile, as its
owner would do it, so that no process can begin to use it while it is removed.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from realservices.cli.places import discovery_directory
from realservices.contract.user_variables import REGISTRY
from realservices.control.run_record import FOLDER, answers
from realservices.dev.discovery import ServiceDiscovery
from realservices.host.abandoned import end_abandoned_directory, launcher_ids
from realservices.host.process_tags import tagged
from realservices.sources.built_templates import cache_directory
from realservices.sources.project import project_root
from realservices.system.abandoned_directories import FILES, MEMORY, RUN, SESSION, abandoned_directories
from realservices.system.directory_safety import SHORT_BASES
from realservices.system.locks import lock_abandoned_directory, lock_present_file
from realservices.system.process_ids import program_of
from realservices.system.registry_directory import present_registries, refusal
from realservices.system.removal import remove_tree
from realservices.system.user_directory import present_user_directories
from realservices.system.warm_pool import POOL, SOCKET_SUFFIX, end_session, look_at, socket_path, waiting_sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DIRECTORIES = {
    RUN: "directory of a launcher",
    MEMORY: "private copy in shared memory",
    SESSION: "directory of a session",
    FILES: "files of tests",
}
_PROCESS = "process of a launcher"
_PORT_LOCK = "lock of a block of ports"
_PLACE = "mark of a service_group or an `up`"
_WARM = "warm services that wait"
_POOL_LOCK = "lock of warm services"
_TEMPLATE_LOCK = "lock of a template that is gone"
_DISCOVERY_FILE = "discovery file in this project"


class State(StrEnum):
    """What is to be said of something that was found."""

    LEFT = "left"
    """No process holds it; it is still there."""
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
        return self.what in (_PORT_LOCK, _PLACE, _POOL_LOCK, _TEMPLATE_LOCK)


def sweep(*, remove: bool, templates: bool = False, warm: bool = False) -> Iterator[Leftover]:
    """Give all that was left, and what looks like it but is in use.

    Args:
        remove: Remove it as it is found.
        warm: Also services that wait for a session, which has its own started then.
        templates: Also unpacked and built templates, which nobody has left but anybody can make again.
    """
    # First: their end leaves nothing.
    for name in waiting_sessions():
        yield _entry(name, remove, warm)
    # Files of plain pytest's tests are where the machine's temporary ones are.
    for directory in present_user_directories(dict.fromkeys((*SHORT_BASES, tempfile.gettempdir()))):
        for path in abandoned_directories(directory):
            yield from _directory(path, remove)
    yield from _refused_registry()
    for registry in present_registries():
        for path in _entries(f"{registry}/slots"):
            yield from _lock_file(_PORT_LOCK, path, remove)
        for path in _entries(f"{registry}/{FOLDER}"):
            yield from _lock_file(_PLACE, path, remove)
        for path in _entries(f"{registry}/{POOL}"):
            if path.endswith(f"{SOCKET_SUFFIX}.lock"):
                yield from _lock_file(_POOL_LOCK, path, remove)
        yield from _templates(f"{registry}/templates", "unpacked template", remove, templates)
    yield from _templates(_cache(), "built template", remove, templates)
    yield from _discovery_files(remove)


def _refused_registry() -> Iterator[Leftover]:
    """Give the registry that the user has named and that must not be used, so that nothing in it is looked at."""
    named = os.environ.get(REGISTRY, "")
    reason = refusal(named) if os.path.lexists(named) else ""
    if reason:
        yield Leftover(f"registry, by {REGISTRY}", named, 0, State.FAILED, reason)


def _entry(name: str, remove: bool, wanted: bool) -> Leftover:
    path = socket_path(name)
    if not look_at(name):
        return _dealt_with("mark of warm services that were killed", path, remove)
    if not wanted:
        return Leftover(_WARM, path, 0, State.IN_USE)
    if not remove:
        return Leftover(_WARM, path, 0, State.LEFT)
    if end_session(name):
        return Leftover(_WARM, path, 0, State.REMOVED)
    return Leftover(_WARM, path, 0, State.FAILED, "another session has just claimed them")


def _cache() -> str:
    try:
        return str(cache_directory())
    except RuntimeError:
        return ""  # No HOME, and nobody knows this user: there is none.


def _directory(path: str, remove: bool) -> Iterator[Leftover]:
    name = os.path.basename(path)
    what = next(words for kind, words in _DIRECTORIES.items() if kind in name)
    lock = lock_abandoned_directory(path)
    if lock < 0:
        if os.path.lexists(path):  # Else it has just gone.
            yield Leftover(what, path, tree_size(path), State.IN_USE)
        return
    try:
        running = [pid for launcher in launcher_ids(path) for pid in tagged(launcher)]
        if not running and _has_listener(path):
            yield Leftover(what, path, tree_size(path), State.IN_USE)
            return
        size = tree_size(path)
        names = [f"process {pid} ({program_of(pid)})" for pid in running]
        reason = _refusal(end_abandoned_directory, path) if remove else ""
        state = State.FAILED if reason else State.REMOVED if remove else State.LEFT
        for each in names:
            yield Leftover(_PROCESS, each, 0, State.REMOVED if remove else State.LEFT)
        yield Leftover(what, path, size, state, reason)
    finally:
        os.close(lock)


def _lock_file(what: str, path: str, remove: bool) -> Iterator[Leftover]:
    lock = _locked_file(path)
    if lock is None:
        yield Leftover(what, path, 0, State.IN_USE)
        return
    if lock < 0:
        return  # It has just gone.
    try:
        # As its owner does (system/locks.py): removed while it is locked.
        yield _dealt_with(what, path, remove)
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
    paths: dict[str, list[str]] = {}
    for path in _entries(directory):
        paths.setdefault(os.path.join(directory, os.path.basename(path).partition(".")[0]), []).append(path)
    for digest, found in paths.items():
        yield from _template(what, digest, [path for path in found if os.path.isdir(path)], remove, wanted)


def _template(what: str, digest: str, directories: list[str], remove: bool, wanted: bool) -> Iterator[Leftover]:
    # Those who unpack or build one hold a lock of their own for that, those who use it the other one.
    locks = {f"{digest}{suffix}": _locked_file(f"{digest}{suffix}") for suffix in (".lock", ".unpacking", ".building")}
    try:
        for path in directories:
            is_partial = path != digest
            shown = f"{what}, half made" if is_partial else what
            if (is_partial or wanted) and None in locks.values():
                yield Leftover(shown, path, tree_size(path), State.IN_USE)
            elif is_partial or wanted:
                yield _dealt_with(shown, path, remove)
        # As their owners do (system/directory_cache.py): removed while they are locked.
        if None not in locks.values() and not any(map(os.path.isdir, directories)):
            for path, lock in locks.items():
                if lock is not None and lock >= 0 and os.path.exists(path):
                    yield _dealt_with(_TEMPLATE_LOCK, path, remove)
    finally:
        for lock in locks.values():
            if lock is not None and lock >= 0:
                os.close(lock)


def _dealt_with(what: str, path: str, remove: bool) -> Leftover:
    size = tree_size(path)
    if not remove:
        return Leftover(what, path, size, State.LEFT)
    reason = _refusal(remove_tree, path)
    return Leftover(what, path, size, State.FAILED if reason else State.REMOVED, reason)


def _refusal(operation: Callable[[str], None], path: str) -> str:
    """Remove something; return why that is not possible, or ""."""
    try:
        operation(path)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _locked_file(path: str) -> int | None:
    """Lock a file and return its descriptor: None if it is in use or may not be read, -1 if it is gone."""
    try:
        return lock_present_file(path)
    except FileNotFoundError:
        return -1
    except OSError:
        return None


def _has_listener(directory: str) -> bool:
    """Return whether something listens on a unix socket in there: a server that has outlived the holder of the lock."""
    return answers(directory) or f" {directory}/" in _bound_sockets()


def _bound_sockets() -> str:
    """Return the kernel's list of unix sockets (Linux, proc(5)), or ""."""
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _entries(directory: str) -> list[str]:
    """Return this user's own entries of a directory."""
    try:
        entries = list(os.scandir(directory))
    except OSError:
        return []
    found = []
    for entry in entries:
        try:
            if entry.stat(follow_symlinks=False).st_uid == os.geteuid():
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
