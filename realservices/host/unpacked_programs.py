"""A server's programs, unpacked from one archive: on a remote worker each file of a directory would be an input.

They lie where templates do, once for each machine, if the file system there lets programs run (in containers shared
memory often does not) and has room; else in a directory of the launcher's own.
"""

from __future__ import annotations

import os

from realservices.host.template_tree import Template, unpack_shared
from realservices.host.unpacked_templates import lease_template, leased_if_made
from realservices.system.directory_cache import Lease
from realservices.system.registry_directory import registry_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


# Of statvfs(3); elsewhere than on Linux it has no name, and no place for shared files that needs it.
_NO_EXECUTION = getattr(os, "ST_NOEXEC", 0)


class UnpackedPrograms:
    """The tree of one archive of programs.

    Args:
        archive: The tar file.
        info: What the tool that wrote it says of it.
        fallback: A directory that does not exist yet, for a tree of one's own.
    """

    def __init__(self, archive: str, info: Mapping[str, Any], fallback: str) -> None:
        self._archive = Template(archive, info["archive_digest"], info["size_bytes"])
        self._fallback = fallback
        self._lease: Lease | None = None

    def are_there(self) -> bool:
        """Return whether `path` has nothing to unpack any more."""
        if not self._lease and os.path.isdir(self._fallback):
            self._lease = Lease(self._fallback, -1)
        if not self._lease and _lets_programs_run():
            try:
                self._lease = leased_if_made(self._archive)
            except OSError:
                return False
        return self._lease is not None

    def path(self) -> str:
        """Return the directory of the tree, which is unpacked now if it is not there.

        Raises:
            ArchiveError: The archive is damaged.
            OSError: No room or no permission.
        """
        if not self.are_there():
            self._lease = self._leased()
        assert self._lease
        return self._lease.path

    def release(self) -> None:
        """Let go of the tree."""
        if self._lease:
            self._lease.release()

    def _leased(self) -> Lease:
        if _lets_programs_run():
            try:
                return lease_template(self._archive)
            except OSError:
                pass
        # Whole or not at all: another process may look.
        partial = f"{self._fallback}.partial"
        unpack_shared(self._archive, partial)
        os.rename(partial, self._fallback)
        return Lease(self._fallback, -1)


def link_to_programs(private: str, service: str) -> str:
    """Return the path of a link to a service's unpacked programs, which is there from its start on.

    Args:
        private: The launcher's private directory.
        service: The service's name.
    """
    return f"{private}/programs.{service}"


def _lets_programs_run() -> bool:
    return not os.statvfs(registry_directory()).f_flag & _NO_EXECUTION
