"""Plain pytest on machines that have run out of something: words in the test's place, and never a traceback of ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.host import places

_ENCLOSURE = Path(__file__).absolute().parents[1] / "host" / "enclosure.py"
_TEST = "def test_it(isolated_redis_sync): assert isolated_redis_sync.ping()\n"
_OURS = ("-m", "pytest", "-p", "no:cacheprovider", "-p", "realservices.fixtures.plugin")
_BASE = ("--uid", "1000")
_NO_ROOM = (
    "no directory for the session's services: /tmp/realservices-1000: No space left on device: the file system of /tmp"
)
_PLACES = ("/tmp", "/dev/shm", "/var/tmp")
_NO_INODES = [word for place in _PLACES for word in ("--tmpfs", f"{place}=1m,nr_inodes=1")]
_READ_ONLY = [word for place in _PLACES for word in ("--read-only", place)]
_HOLD_DESCRIPTORS = """
import os, pytest, resource
@pytest.fixture(autouse=True)
def held():
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    found = []
    try:
        while True:
            found.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        for descriptor in found[:{left}]:
            os.close(descriptor)
    yield
    for descriptor in found[{left}:]:
        os.close(descriptor)
"""


class Project:
    """A project in a directory that a private /tmp does not hide."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory = directory
        self._environment = environment

    def run(self, *enclosure: str, pytest_options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run its tests; no message may be a traceback of this package, or an error within pytest."""
        command = [sys.executable, str(_ENCLOSURE), *_BASE, *enclosure, "--", sys.executable, *_OURS, *pytest_options]
        done = subprocess.run(
            command, cwd=self.directory, env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )
        output = done.stdout + done.stderr
        assert "Traceback" not in output, output
        assert "INTERNALERROR" not in output, output
        assert not re.search(r"realservices/\w+/\w+\.py:\d+", output), output
        return done


@pytest.fixture
def project(alone: pytest.MonkeyPatch) -> Iterator[Project]:
    """Return a project with one test of a Redis."""
    directory = Path(tempfile.mkdtemp(prefix="rst.", dir=os.environ["TEST_TMPDIR"]))
    (directory / "pyproject.toml").touch()
    (directory / "test_it.py").write_text(_TEST, "utf-8")
    servers = {"REALSERVICES_REDIS": str(places.redis_server())}
    outer = {name: value for name, value in os.environ.items() if name not in ("TEST_TMPDIR", "TMPDIR")}
    yield Project(directory, outer | servers)
    shutil.rmtree(directory)


@pytest.mark.parametrize(
    "enclosure",
    [("--tmpfs", "/tmp"), ("--tmpfs", "/tmp=1m,nr_inodes=1"), ("--read-only", "/tmp")],
    ids=["in /tmp", "without inodes in /tmp", "beside a read-only /tmp"],
)
def test_where_one_place_serves_it_passes(project: Project, enclosure: tuple[str, ...]) -> None:
    done = project.run(*enclosure)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("enclosure", "words"),
    [
        (_NO_INODES, (_NO_ROOM, " inodes; make room there")),
        (_READ_ONLY, ("no directory for the session's services: /tmp: a read-only file system", "/dev/shm: a read-")),
        (("--no-fork", "--limit", "nproc=77", "--tmpfs", "/tmp"), ("no further process", "RLIMIT_NPROC is 77")),
    ],
    ids=["no inodes", "read-only", "no processes"],
)
@pytest.mark.parametrize("options", [(), ("-o", "realservices_services=redis")], ids=["at first use", "at the start"])
def test_what_is_missing_is_told(
    project: Project, enclosure: Sequence[str], words: tuple[str, ...], options: tuple[str, ...]
) -> None:
    done = project.run(*enclosure, pytest_options=options)
    assert done.returncode == (pytest.ExitCode.USAGE_ERROR if options else pytest.ExitCode.TESTS_FAILED), done.stdout
    for each in words:
        assert each in done.stdout + done.stderr


def test_a_session_of_several_processes_says_so_once(project: Project) -> None:
    done = project.run(*_NO_INODES, pytest_options=("-p", "xdist.plugin", "-n2"))
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert (done.stdout + done.stderr).count(_NO_ROOM) == 1


@pytest.mark.parametrize("left", range(4))
def test_few_descriptors(project: Project, left: int) -> None:
    # Only while the test runs: pytest itself needs some before.
    (project.directory / "conftest.py").write_text(_HOLD_DESCRIPTORS.format(left=left), "utf-8")
    done = project.run("--tmpfs", "/tmp")
    # Which of us is the first that lacks one is a matter of moments: a client in the test may be, and says so itself.
    words = ("no file descriptor is left: RLIMIT_NOFILE is 256", "Too many open files")
    if done.returncode != pytest.ExitCode.OK:
        assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
        assert any(each in done.stdout for each in words), done.stdout + done.stderr
