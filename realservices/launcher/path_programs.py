"""Programs on the test program's PATH: clients of its services, from the same distributions as the servers.

A distribution without one (the pinned Redis has the server only, ClickHouse's engine is a library) gets a small one of
this package (programs/redis_cli.py, programs/clickhouse_client.py).
"""

from __future__ import annotations

import os
import sys

from realservices.contract.errors import ManifestError
from realservices.host.unpacked_programs import link_to_programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.contract.manifest import Manifest, ServiceSpec

CHECKOUT = "realservices-checkout"
OWN = {
    "redis-cli": "programs.redis_cli",
    "clickhouse-client": "programs.clickhouse_client",
    CHECKOUT: "clients.checkout_command",
}
"""Modules of the package that are such programs."""
KINDS = {
    "clickhouse-client": "clickhouse",
    "pg_dump": "postgres",
    "pg_isready": "postgres",
    "pg_restore": "postgres",
    "pgbench": "postgres",
    "psql": "postgres",
    "redis-cli": "redis",
}
"""What may be asked for, and the kind of service that it comes with."""
_STUB = """#!/bin/sh
exec "{python}" -I -S -B -c '{code}' "{here}" "$@"
"""
_CODE = "import sys; sys.path.insert(0, sys.argv.pop(1)); from realservices.{module} import main; sys.exit(main())"


def put_on_path(manifest: Manifest, runfiles: str, directory: str) -> str:
    """Make a directory with the programs that a target asks for; return it, "" where there are none.

    Args:
        manifest: The target's.
        runfiles: The directory that runfiles paths start from.
        directory: Where it is made.

    Raises:
        ManifestError: One of them is not to be had.
    """
    names = [*manifest.test.on_path, *([CHECKOUT] if manifest.test.checkout_paths is not None else [])]
    if not names:
        return ""
    os.mkdir(directory, 0o700)
    for name in names:
        found = _of_distribution(name, manifest.services, runfiles, os.path.dirname(directory))
        if found:
            os.symlink(found, f"{directory}/{name}")
        elif name in OWN:
            _write_stub(f"{directory}/{name}", OWN[name])
        else:
            raise ManifestError(
                f"on_path: {name}: the distribution of {manifest.label}'s {KINDS[name]} has no such program"
            )
    return directory


def _of_distribution(name: str, services: Iterable[ServiceSpec], runfiles: str, private: str) -> str:
    """Return the path of a program of a service's own distribution, "" if there is none."""
    if name == CHECKOUT:
        return ""
    kind = KINDS.get(name)
    spec = next((each for each in services if each.kind == kind), None)
    if spec is None:
        raise ManifestError(f"on_path: {name!r} is none of {', '.join(KINDS)}, or the test has no service of its kind")
    if spec.config.get("distribution_archive"):
        # Not there yet: it is unpacked for the service's start, which the test's first line waits for.
        return f"{link_to_programs(private, spec.name)}/bin/{name}"
    if kind == "postgres":
        directory = f"{runfiles}/{spec.config['distribution']}/bin"
    else:
        directory = os.path.dirname(os.path.realpath(f"{runfiles}/{spec.config['server']}"))
    path = f"{directory}/{name}"
    return path if os.access(path, os.X_OK) else ""


def _write_stub(path: str, module: str) -> None:
    here = os.path.abspath(sys.path[0])  # The archive or directory that this package was loaded from.
    with open(path, "w", encoding="utf-8") as file:
        file.write(_STUB.format(python=sys.executable, code=_CODE.format(module=module), here=here))
    os.chmod(path, 0o700)
