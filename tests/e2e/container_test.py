"""Plain pytest and the command line as root of a container like Docker's default one, and of stricter ones.

The package lies where only root may enter, below a closed home. Real root is needed, for a container's root has many
user ids, and Bazel's sandbox has one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.installed import Installed
from tests.host.real_root import ENCLOSURE, needs_all_ids
from tests.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT_S = 600
_PAIRS = 36
_CONTAINED = Path(__file__).absolute().with_name("contained.py")
# A file system, processes, shared memory and network of its own; /dev/shm as small as Docker's.
_MACHINE = ("--pid", "--ipc", "--net", "--tmpfs", "/tmp", "--tmpfs", "/var/tmp", "--tmpfs", "/dev/shm=64m")
_AS_ROOT = ("--all-ids", "--container", *_MACHINE)
_ONE_TEST = """
async def test_both(isolated_database, isolated_redis):
    assert await isolated_database.fetchval("SELECT 1") == 1
    assert await isolated_redis.ping()
"""
_AGE = """
import time
BEGIN = time.time()
async def test_age(isolated_database, isolated_redis):
    started = await isolated_database.fetchval("SELECT extract(epoch FROM pg_postmaster_start_time())::float8")
    print("the server is", "older" if started < BEGIN else "younger")
"""
# The launcher's end without a word, and the session's. The guardian is a child of the launcher with the same words.
_KILL = """
import os, signal
from pathlib import Path
import psutil
def parent(process):
    try:
        return process.parent()
    except psutil.Error:
        return process  # It has ended meanwhile, as those do that help with a start.

async def test_kill(isolated_database):
    found = [each for each in psutil.process_iter(["cmdline"]) if "serve" in (each.info["cmdline"] or [])]
    [launcher] = [each for each in found if parent(each) not in found]
    launcher.kill()
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Container:
    """A project, and the machine in which commands run on it.

    Args:
        installed: The package.
        project: The project's directory.
    """

    def __init__(self, installed: Installed, project: Path) -> None:
        self._installed = installed
        self.project = project
        self.environment = installed.environment

    def pytest(self, *arguments: str) -> list[str]:
        """Return what runs pytest."""
        return [self._installed.python, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments]

    def command(self, *arguments: str) -> list[str]:
        """Return what runs the command line."""
        return [self._installed.python, "-m", "realservices", *arguments]

    def run(self, *commands: list[str], enclosure: tuple[str, ...] = _AS_ROOT) -> list[tuple[int, str]]:
        """Run commands one after the other; return exit codes and outputs. Nothing may be left of them."""
        inner = [self._installed.python, str(_CONTAINED)]
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", str(ENCLOSURE), *enclosure, "--", *inner],
            input=json.dumps(commands), cwd=self.project, env=self.environment,
            capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        outcome: dict[str, Any] = json.loads(done.stdout)
        assert outcome["left"] == [], outcome
        return [(code, output) for code, output in outcome["done"]]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A directory that only root may enter, outside of what a container has for itself."""
    needs_all_ids()
    with tempfile.TemporaryDirectory(prefix=".realservices-container-", dir=Path.home()) as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def installed(home: Path) -> Installed:
    """The package, installed once."""
    return Installed(home)


@pytest.fixture
def container(installed: Installed, home: Path) -> Iterator[Container]:
    """A container with an empty project."""
    with tempfile.TemporaryDirectory(prefix="project-", dir=home) as directory:
        yield Container(installed, Path(directory))


@pytest.mark.parametrize("workers", [0, 2])
def test_plain_pytest(container: Container, workers: int) -> None:
    text = (ROOT / "tests" / "isolation" / "test_pairs.py").read_text("utf-8")
    (container.project / "test_pairs.py").write_text(text, "utf-8")
    [(code, output)] = container.run(container.pytest(*([f"-n{workers}"] if workers else [])))
    assert code == 0, output
    assert f"{_PAIRS} passed" in output


def test_what_a_killed_launcher_leaves_is_removed(container: Container) -> None:
    (container.project / "test_kill.py").write_text(_KILL, "utf-8")
    # The session's directory is for the next session to remove, or for `clean`.
    killed, guardian, clean = container.run(container.pytest(), ["await-end"], container.command("clean"))
    assert guardian == (0, "")
    assert killed[0] == -9, killed
    assert clean[0] == 0, clean


def test_warm_services(container: Container) -> None:
    (container.project / "test_age.py").write_text(_AGE, "utf-8")
    container.environment["REALSERVICES_WARM"] = "1"
    pytest_ = container.pytest("-rP")
    first, waiting, second, again, clean = container.run(
        pytest_, ["await-warm"], pytest_, ["await-warm"], container.command("clean", "--warm")
    )
    assert first[0] == second[0] == clean[0] == 0, (first, second, clean)
    assert "the server is younger" in first[1]
    assert waiting == again == (0, "2 wait")
    assert "the server is older" in second[1]


def test_the_command_line(container: Container) -> None:
    up, validate, doctor, clean = container.run(
        ["up"], container.command("validate", "--require", "database", "--require", "redis"),
        container.command("doctor", "--deep", "--json"), container.command("clean"),
    )  # fmt: skip
    assert up[0] == 0, up
    assert "postgres" in up[1]
    assert validate[0] == 0, validate
    assert "written, read, unseen by the next test" in validate[1]
    findings = {each["id"]: each for each in json.loads(doctor[1])["checks"]}
    assert [each for each in findings.values() if each["verdict"] == "error"] == []
    assert doctor[0] == 0
    assert findings["namespaces"]["verdict"] == "warning"
    assert "about 30 ms more for each test action, as user 65534" in findings["namespaces"]["meaning"]
    assert findings["server.postgres"]["verdict"] == findings["session.database"]["verdict"] == "ok"
    assert clean[0] == 0, clean


@pytest.mark.parametrize(
    ("dropped", "message"),
    [
        ("DAC_OVERRIDE", "without the capabilities DAC_OVERRIDE: user 65534 would not get past "),
        ("SETPCAP", "without the capabilities SETPCAP: user 65534 would not get past "),
        ("SETUID", "without the capabilities SETUID. Either run the tests as another user"),
    ],
)
def test_a_capability_that_is_missing(container: Container, dropped: str, message: str) -> None:
    (container.project / "test_one.py").write_text(_ONE_TEST, "utf-8")
    pytest_, doctor = container.run(
        container.pytest(), container.command("doctor", "--json"), enclosure=(*_AS_ROOT, "--drop", dropped)
    )
    assert pytest_[0] == 1, pytest_
    assert message in pytest_[1]
    assert doctor[0] == 1, doctor
    assert message in next(each["found"] for each in json.loads(doctor[1])["checks"] if each["id"] == "server.postgres")


_MACHINES = {
    "a kernel without user namespaces": ("--all-ids", "--no-user-namespaces", *_MACHINE),
    "no capability, but user namespaces": ("--all-ids", "--drop", "ALL", *_MACHINE),
    "a file system that is read-only": (*_AS_ROOT, "--read-only", "/"),
    "the same, with user namespaces": ("--all-ids", *_MACHINE, "--read-only", "/"),
    "no shared memory": ("--all-ids", "--container", *_MACHINE[:-1], "/dev/shm=4k", "--fill", "/dev/shm"),
}


@pytest.mark.parametrize("machine", _MACHINES)
def test_other_machines(container: Container, machine: str) -> None:
    (container.project / "test_one.py").write_text(_ONE_TEST, "utf-8")
    # Nor is there a home that can be written to.
    del container.environment["XDG_CACHE_HOME"]
    container.environment["HOME"] = "/proc/nowhere"
    [(code, output)] = container.run(container.pytest(), enclosure=_MACHINES[machine])
    assert code == 0, output


def test_launchers_and_templates(installed: Installed) -> None:
    # Those of Bazel's tests that have nothing to do in its sandbox.
    site = Path(installed.python).parents[1] / "lib"
    [distribution] = site.glob("python*/site-packages/**/pginstall")
    [redis] = site.glob("python*/site-packages/**/redis-server")
    variables = {"POSTGRES_DISTRIBUTION": str(distribution), "REDIS_SERVER": str(redis)}
    files = ["tests/launcher/machines_test.py", "tests/services/postgres_template_test.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", "-k", "root", *files],
        cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout, done.stdout
