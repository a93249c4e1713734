"""The build action that makes a MariaDB template, run as Bazel runs it: a process of its own with files as inputs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.host import places

_BUILD = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from realservices.kinds.mariadb.template.build import main; sys.exit(main(sys.argv[1:]))"
)


class TemplateBuild:
    """One build action."""

    def __init__(self, directory: Path, server: Path | None = None) -> None:
        self._directory = directory
        self.archive, self._info = directory / "db.tar", directory / "db.json"
        self._arguments = ["--label", "//app:db", "--server", str(server or places.mariadb_server())]
        self._arguments += ["--output", str(self.archive), "--info", str(self._info)]

    def script(self, sql: str | bytes, option: str = "--migration", name: str = "") -> TemplateBuild:
        path = self._directory / f"{len(self._arguments)}.sql"
        path.write_bytes(sql.encode() if isinstance(sql, str) else sql)
        self._arguments += [option, f"app/{name or option[2:] + '.sql'}={path}"]
        return self

    def option(self, *words: str) -> TemplateBuild:
        self._arguments += words
        return self

    def info(self) -> dict[str, Any]:
        """Run the action, which must succeed, and return what it says."""
        done = self._run()
        assert done.returncode == 0, done.stderr
        info: dict[str, Any] = json.loads(self._info.read_text("utf-8"))
        return info

    def refusal(self) -> str:
        """Run the action, which must fail, and return its words."""
        done = self._run()
        assert done.returncode == 1
        assert done.stdout == ""
        assert "Traceback" not in done.stderr, done.stderr
        assert not self.archive.exists()
        assert not self._info.exists()
        return done.stderr

    def _run(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", "-B", "-c", _BUILD, str(places.PACKAGE_ROOT), *self._arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={})
