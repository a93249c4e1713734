"""Services that are kept warm: whether they are, for whom, and how a session gets them.

After a session its services are ended, as ever, and fresh ones started, which wait for the next session of the same
project (launcher/session/serve.py). So no session sees what another one did, and none waits for a start.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import realservices
from realservices.contract.user_variables import PORT_RANGE
from realservices.sources.package import interpreter
from realservices.system.warm_pool import claim

if TYPE_CHECKING:
    from realservices.sources.declarations import Project

# Under coverage, programs of the project's write where the session says, which a later one does not know.
_COVERAGE = ("COVERAGE_DIR", "COVERAGE_OUTPUT_FILE")
# What is visible, and which ports are whose, depends on these (namespaces(7)).
_NAMESPACES = ("mnt", "net", "pid", "user", "ipc")
_VARIABLES = ("PATH", PORT_RANGE, "TEST_TMPDIR")
_LAUNCHER_SIDE = ("contract", "system", "schema", "host", "kinds", "services", "launcher", "programs")


@dataclass(frozen=True, slots=True)
class Warmth:
    """How services are kept.

    Attributes:
        key: The same for all sessions that may have each other's.
        idle_s: How long they wait for a session.
    """

    key: str
    idle_s: float

    @property
    def arguments(self) -> tuple[str, str]:
        """What the services' process is told."""
        return self.key, f"{self.idle_s:g}"

    def claim(self) -> tuple[str, list[int]] | None:
        """Return a session's directory with services in it, and what holds it, if any wait."""
        return claim(self.key)


def warmth_of(project: Project, root: Path) -> Warmth | None:
    """Return how services that are to be kept warm are kept, None where they cannot be."""
    if any(os.environ.get(name) for name in _COVERAGE):
        return None
    # Who waits does so for as long as it was told at its start.
    return Warmth(_key(root, project.warm_idle_s), project.warm_idle_s)


def _key(root: Path, idle_s: float) -> str:
    parts = [
        str(root.resolve()),
        idle_s,
        interpreter(),
        *_package(),
        *(os.environ.get(name, "") for name in _VARIABLES),
        *map(_namespace, _NAMESPACES),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def _package() -> tuple[str, str, int]:
    """Return what tells one state of this package from another one: it may be somebody's working copy."""
    directory = Path(realservices.__file__).parent
    if not directory.is_dir():
        return realservices.__version__, str(directory), directory.parent.stat().st_mtime_ns
    modules = [module for name in _LAUNCHER_SIDE for module in (directory / name).rglob("*.py")]
    newest = max(module.stat().st_mtime_ns for module in modules)
    return realservices.__version__, str(directory), newest


def _namespace(name: str) -> str:
    """Return which namespace of a kind this process is in, "" where there are none (namespaces(7), Linux only).

    Args:
        name: As in /proc/self/ns; ``net`` says which ports are visible.
    """
    try:
        return str(Path(f"/proc/self/ns/{name}").readlink())
    except OSError:
        return ""
