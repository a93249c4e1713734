"""A template that another one begins from: what was built before is not built again."""

from __future__ import annotations

from realservices.contract.template_info import load_template_info
from realservices.host.archive import unpack_archive


def unpack_base(archive: str, info: str, data: str) -> None:
    """Unpack a template as the data directory of another one in the making.

    The files of its copies are left out: they are the programs' database once more, and will be again.

    Raises:
        ArchiveError: It is damaged.
        OSError: There is no archive, no room, or no permission.
        ValueError: The description is none.
    """
    described = load_template_info("postgres", info)
    unpack_archive(archive, data, digest=described["digest"], without=described["links"].keys())
