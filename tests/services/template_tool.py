"""The build action that makes a PostgreSQL template, run as Bazel runs it: a process of its own with files as inputs."""

from __future__ import annotations

import functools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.host import places

_ENCLOSURE = Path(__file__).absolute().parent.parent / "host" / "enclosure.py"
_BUILD = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from realservices.kinds.postgres.template.build import main; sys.exit(main(sys.argv[1:]))"
)
_TIMEOUT_S = 120
# With these it begins from another template than the empty one.
_OTHER_BEGINNING = ("base", "locale", "locale-provider")
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "REALSERVICES_REGISTRY")


class TemplateBuild:
    """One build action, which begins from an empty template where a target's would.

    Args:
        directory: Where SQL files and outputs go.
        enclosure: Options of `tests/host/enclosure.py`; none means no enclosure.
        memory_bytes: The most that each of its processes may have of its own.
        from_nothing: Whether it begins with initdb in any case.
    """

    def __init__(
        self,
        directory: Path,
        *,
        enclosure: list[str] | None = None,
        memory_bytes: int = resource.RLIM_INFINITY,
        from_nothing: bool = False,
    ) -> None:
        self.archive = directory / "db.tar"
        self.info_file = directory / "db.json"
        self._directory = directory
        self._memory = (memory_bytes, memory_bytes)
        self._enclosure = [sys.executable, "-I", "-S", "-B", str(_ENCLOSURE), *enclosure, "--"] if enclosure else []
        self._from_nothing = from_nothing
        self._arguments = ["--label", "//app:db", "--output", str(self.archive), "--info", str(self.info_file)]
        self.distribution = places.postgres_distribution()

    @property
    def info(self) -> dict[str, Any]:
        """What the action says about its archive."""
        info: dict[str, Any] = json.loads(self.info_file.read_text("utf-8"))
        return info

    def migration(self, name: str, sql: str) -> TemplateBuild:
        """Add a migration."""
        return self._script("--migration", name, sql)

    def seed(self, name: str, sql: str) -> TemplateBuild:
        """Add a seed."""
        return self._script("--seed", name, sql)

    def option(self, name: str, value: str) -> TemplateBuild:
        """Add any other option."""
        self._from_nothing |= name in _OTHER_BEGINNING
        self._arguments += [f"--{name}", value]
        return self

    def flag(self, name: str) -> TemplateBuild:
        """Add an option without a value."""
        self._arguments.append(f"--{name}")
        return self

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the action to its end."""
        with self.start() as process:
            try:
                output, errors = process.communicate(timeout=_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # With the server that it started.
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def start(self) -> subprocess.Popen[str]:
        """Start the action."""
        command = [sys.executable, "-I", "-S", "-B", "-c", _BUILD, str(places.PACKAGE_ROOT)]
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return subprocess.Popen(
            [*self._enclosure, *command, "--distribution", str(self.distribution), *self._begin(), *self._arguments],
            env=inherited,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=functools.partial(resource.setrlimit, resource.RLIMIT_DATA, self._memory),
        )

    def _begin(self) -> list[str]:
        if self._from_nothing or self.distribution != places.postgres_distribution():
            return []
        directory = Path(_empty_template().name)
        return ["--base", f"{directory}/db.tar", "--base-info", f"{directory}/db.json", "--form", "whole"]

    def _script(self, option: str, name: str, sql: str) -> TemplateBuild:
        path = self._directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sql, "utf-8")
        self._arguments += [option, f"app/{name}={path}"]
        return self


@functools.cache
def _empty_template() -> tempfile.TemporaryDirectory[str]:
    """Build the empty template, once in this process, at whose end its directory is removed."""
    directory = tempfile.TemporaryDirectory(prefix="realservices-empty-")
    Path(directory.name).chmod(0o755)  # Some builds run as another user.
    done = TemplateBuild(Path(directory.name), from_nothing=True).run()
    assert done.returncode == 0, done.stderr
    return directory
