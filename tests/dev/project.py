"""A project with servers of its own, in which scripts and commands run without Bazel or a launcher."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

_APPLICATION = Path(__file__).with_name("application.py")
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG")
_TIMEOUT_S = 60
_BEGIN = """
import asyncio, json, os, signal, sys
from pathlib import Path
from realservices.dev_launcher import *
from realservices.service_discovery import *
"""


class Project:
    """A directory with declarations, in which scripts are run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self.environment["PYTHONPATH"] = os.pathsep.join(sys.path)

    def declare(self, **services: str) -> None:
        """Declare servers of application.py: by name, further lines of TOML, of which `args = "…"` are its arguments."""
        text = ""
        for name, lines in services.items():
            more = dict(line.split(" = ", 1) for line in lines.split("\n") if line)
            arguments = [*more.pop("args", '""').strip('"').split(), "--name", name]
            command = ["{python}", str(_APPLICATION), "--port", "$(port http)", *arguments]
            own = {"kind": '"executable"', "command": str(command), "ready": '{ http = "/health" }', **more}
            text += f"[services.{name}]\n" + "".join(f"{key} = {value}\n" for key, value in own.items())
        (self.directory / "realservices.toml").write_text(text, encoding="utf-8")

    def command(self, script: str) -> list[str]:
        """Return what runs a script, whose `main` is a coroutine function."""
        return [sys.executable, "-c", _BEGIN + textwrap.dedent(script) + "\nasyncio.run(main())"]

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script to its end."""
        return subprocess.run(
            self.command(script), cwd=self.directory, env=self.environment | variables, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip

    def output(self, script: str, **variables: str) -> str:
        """Run a script that succeeds, and return what it prints."""
        done = self.run(script, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def error(self, script: str, **variables: str) -> str:
        """Run a script that an exception ends, and return what is said last."""
        done = self.run(script, **variables)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr[done.stderr.rindex("Traceback") :]
