"""A group of services under test: the launcher as `bazel run` starts it, with a manifest of ours.

`Grouped` is a context manager; what it starts cannot outlive the `with` block.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.host import places
from tests.host.running import Running

DEADLINE_S = 60.0
_SERVER = Path(__file__).absolute().parent / "server.py"
_LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from realservices.launcher.main import main; sys.exit(main(sys.argv[1:]))"
)
LABEL = "//app:services"


class Group:
    """A declared group; commands of it can be run any number of times.

    Args:
        services: Entries of the manifest.
        template: Directory with db.tar and db.json, where a PostgreSQL is among the services.
        ports: Fixed ports.

    Attributes:
        directory: Where the developer stands, the home directory, and all that the group needs.
        program: What executables run, unless they name another.
        env: Environment of the launcher.
    """

    def __init__(
        self, services: list[dict[str, Any]], *, template: Path | None = None, ports: dict[str, int] | None = None
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rsg.", dir="/tmp"))
        self._runfiles = self.directory / "runfiles"
        for name, target in (
            ("postgres/pginstall", places.postgres_distribution()),
            ("redis/redis-server", places.redis_server()),
            *([("template", template)] if template else []),
        ):
            (self._runfiles / name).parent.mkdir(parents=True, exist_ok=True)
            (self._runfiles / name).symlink_to(target)
        self.program = self._runfiles / "server"
        for program in (self.program, self._runfiles / "other"):
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S -B "{_SERVER}" "$@"\n', "utf-8")
            program.chmod(0o755)
        self.declare(services, ports or {})
        inherited = ("PATH", "LANG", "LD_LIBRARY_PATH")
        self.env = {name: os.environ[name] for name in inherited if name in os.environ} | {
            "HOME": str(self.directory),
            "RUNFILES_DIR": str(self._runfiles),
            "BUILD_WORKSPACE_DIRECTORY": str(self.directory / "workspace"),
            "BUILD_WORKING_DIRECTORY": str(self.directory),
        }

    def declare(self, services: list[dict[str, Any]], ports: dict[str, int]) -> None:
        """Write the manifest, as a build does."""
        content = {
            "version": 1,
            "label": LABEL,
            "services": services,
            "test": {
                "runner": "services",
                "ports": ports,
                "workspace": "workspace",
                "file_lists": self._lists(services),
            },
            "env": {},
            "isolation": "transaction",
        }
        (self.directory / "manifest.json").write_text(json.dumps(content), "utf-8")

    def _lists(self, services: list[dict[str, Any]]) -> dict[str, str]:
        """Write down which file each service runs on, as a build does: program, template or server."""
        lists = {}
        for service in services:
            config = service["config"]
            file = config.get("program") or config.get("template") or config["server"]
            lists[service["name"]] = f"{service['name']}.files"
            (self._runfiles / lists[service["name"]]).write_text(f"../{file}\n", "utf-8")
        return lists

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.directory)

    def command(self, *arguments: str) -> list[str]:
        """Return what starts the launcher with these arguments, in `env`."""
        command = [sys.executable, "-I", "-S", "-B", "-c", _LAUNCH, str(places.PACKAGE_ROOT)]
        return [*command, str(self.directory / "manifest.json"), *arguments]

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> Running:
        """Start the launcher with these arguments."""
        return Running(
            subprocess.Popen(
                self.command(*arguments),
                env=self.env | (env or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )

    def run(self, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
        """Run a command to its end; return exit code and output."""
        with self.start(*arguments, env=env) as run:
            return run.wait(), run.output
