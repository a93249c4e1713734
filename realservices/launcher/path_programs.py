"""Programs on the test program's PATH: clients of its services, from the same distributions as the servers.

A distribution without one (the pinned Redis has the server only, ClickHouse's engine is a library) gets a small one of
this package (programs/redis_cli.py, programs/clickhouse_client.py).
"""

from __future__ import annotations

import os
import sys

from realservices.contract.errors import ManifestError
from realservices.host.unpacked_programs import link_to_programs
from realservices.kinds.registry import find
from realservices.kinds.registry import names as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.manifest import Manifest, ServiceSpec

CHECKOUT = "realservices-checkout"
_CHECKOUT_MODULE = "clients.checkout_command"
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
        ManifestError: One of them is not available.
    """
    names = [*manifest.test.on_path, *([CHECKOUT] if manifest.test.checkout_paths is not None else [])]
    if not names:
        return ""
    os.mkdir(directory, 0o700)
    for name in names:
        path = f"{directory}/{name}"
        if name == CHECKOUT:
            _write_stub(path, _CHECKOUT_MODULE)
            continue
        spec = _service_with(name, manifest)
        found = _of_distribution(name, spec, runfiles, os.path.dirname(directory))
        stand_in = find(spec.kind).client_programs[name]
        if found:
            os.symlink(found, path)
        elif stand_in:
            _write_stub(path, stand_in)
        else:
            raise ManifestError(
                f"on_path: {name}: the distribution of {manifest.label}'s {spec.kind} has no such program"
            )
    return directory


def _service_with(name: str, manifest: Manifest) -> ServiceSpec:
    """Return the first service of the kind that a program comes with."""
    for spec in manifest.services:
        if name in find(spec.kind).client_programs:
            return spec
    known = ", ".join(program for kind in kinds() for program in find(kind).client_programs)
    raise ManifestError(f"on_path: {name!r} is none of {known}, or the test has no service of its kind")


def _of_distribution(name: str, spec: ServiceSpec, runfiles: str, private: str) -> str:
    """Return the path of a program of a service's own distribution, "" if there is none."""
    if spec.config.get("distribution_archive"):
        # Not there yet: it is unpacked for the service's start, which the test's first line waits for.
        return f"{link_to_programs(private, spec.name)}/bin/{name}"
    path = f"{find(spec.kind).program_directory(spec.config, runfiles)}/{name}"
    return path if os.access(path, os.X_OK) else ""


def _write_stub(path: str, module: str) -> None:
    here = os.path.abspath(sys.path[0])  # The archive or directory that this package was loaded from.
    with open(path, "w", encoding="utf-8") as file:
        file.write(_STUB.format(python=sys.executable, code=_CODE.format(module=module), here=here))
    os.chmod(path, 0o700)
