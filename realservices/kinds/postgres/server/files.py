"""The files that one PostgreSQL server runs on: its programs, and a data directory from the template.

Both may lie in archives. What another action has unpacked on this machine is used; else a process beside can unpack it
before the server is started, while other services start (`preparation`).
"""

from __future__ import annotations

import os

from realservices.contract.errors import ManifestError
from realservices.host.process import run_beside
from realservices.host.template_tree import described_template, unpack_private
from realservices.host.unpacked_programs import UnpackedPrograms, link_to_programs
from realservices.host.unpacked_templates import free_bytes, lease_template, leased_if_made
from realservices.kinds.postgres.kind import PROGRAMS
from realservices.services.template_description import read_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.contract.manifest import ServiceSpec
    from realservices.host.launcher_directories import LauncherDirectories
    from realservices.system.directory_cache import Lease


class ServerFiles:
    """What one server runs on.

    Args:
        spec: What the manifest says.
        directories: Where copies of its own go.
        runfiles: The directory that runfiles paths start from.
        info: The template's description.

    Raises:
        ManifestError: The archive of programs is not described.
    """

    def __init__(
        self, spec: ServiceSpec, directories: LauncherDirectories, runfiles: str, info: dict[str, Any]
    ) -> None:
        config = spec.config
        base = f"{runfiles}/{config['template_base']}" if config.get("template_base") else ""
        self._template = described_template(info, f"{runfiles}/{config['template']}", base)
        self._copy_size_bytes: int = info["copy_size_bytes"]
        self._spec, self._directories, self._runfiles = spec, directories, runfiles
        self._programs = _unpacked_programs(spec, runfiles, f"{directories.root}/{spec.name}.programs")
        self._lease: Lease | None = None
        self._copy = ""

    def program(self, name: str) -> str:
        """Return the path of one of the server's programs.

        Raises:
            ManifestError: It is not there.
            ArchiveError: The archive of programs is damaged.
            OSError: There is no room to unpack it.
        """
        root = self._programs.path() if self._programs else self._runfiles
        path = f"{root}/{self._spec.config['distribution']}/bin/{name}"
        if not os.path.exists(path):
            raise ManifestError(
                f"service {self._spec.name!r} ({self._spec.label}): there is no {path}; a remote worker gets nothing "
                "by the label of a directory: build with --@rules_realservices//rules:remote"
            )
        self._link_programs(os.path.dirname(os.path.dirname(path)))
        return path

    def shared_tree(self) -> str:
        """Return the template's tree, which other servers stand on, too; unpacked now if nobody has.

        Raises:
            OSError: There is no place for a shared one.
            ArchiveError: The archive is damaged.
        """
        if not self._lease:
            self._lease = lease_template(self._template)
        return self._lease.path

    def copy(self) -> str:
        """Return a data directory of the server's own, made when it is first asked for."""
        if not self._copy:
            self._copy = self._unpack_copy()
        return self._copy

    def preparation(self, *, shares: bool) -> Callable[[], None] | None:
        """Return what unpacks all that is not there yet, or None.

        Args:
            shares: Whether the server will stand on the shared tree.
        """
        tasks: list[Callable[[], object]] = []
        if not (self._has_shared_tree() if shares else self._has_copy()):
            tasks.append(self._unpack_shared if shares else self._unpack_copy)
        if self._programs and not self._programs.are_there():
            tasks.append(self._programs.path)
        return (lambda: _run_all(tasks)) if tasks else None

    def release(self) -> None:
        """Let go of what is shared."""
        for lease in (self._lease, self._programs):
            if lease:
                lease.release()

    def _link_programs(self, distribution: str) -> None:
        link = link_to_programs(self._directories.private, self._spec.name)
        if self._programs and not os.path.lexists(link):
            os.symlink(distribution, link)

    def _has_shared_tree(self) -> bool:
        try:
            self._lease = self._lease or leased_if_made(self._template)
        except OSError:
            return True  # There is no place for one, as the start will find.
        return self._lease is not None

    def _has_copy(self) -> bool:
        return bool(self._copy) or os.path.isdir(self._place_of_copy())

    def _unpack_shared(self) -> None:
        lease_template(self._template).release()

    def _unpack_copy(self) -> str:
        data = self._place_of_copy()
        if not os.path.isdir(data):
            # Whole or not at all: a process beside may be killed over it.
            partial = f"{data}.{os.getpid()}"
            unpack_private(self._template, partial)
            os.rename(partial, data)
        return data

    def _place_of_copy(self) -> str:
        parent, memory = self._directories.root, self._directories.memory
        if memory and (os.path.isdir(memory) or free_bytes(os.path.dirname(memory)) > 2 * self._copy_size_bytes):
            parent = self._directories.create_memory()
        return f"{parent}/{self._spec.name}.data"


def _unpacked_programs(spec: ServiceSpec, runfiles: str, fallback: str) -> UnpackedPrograms | None:
    archive = spec.config.get("distribution_archive")
    if not archive:
        return None
    info = read_info(spec, f"{runfiles}/{spec.config['distribution_info']}", PROGRAMS)
    return UnpackedPrograms(f"{runfiles}/{archive}", info, fallback)


def _run_all(tasks: list[Callable[[], object]]) -> None:
    """Do the first task here, and each other one in a process beside."""
    children = [run_beside(task) for task in tasks[1:]]
    tasks[0]()
    for child in children:
        os.waitpid(child, 0)
