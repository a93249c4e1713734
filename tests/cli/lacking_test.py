"""Commands on machines that have run out of something: words and exit codes, and never a traceback."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Outcome, run

_TMP_FULL = ("--tmpfs", "/tmp=64k", "--fill", "/tmp")
# Where one place does not serve, the next one does.
_PLACES = ("/tmp", "/dev/shm", "/var/tmp")
_NO_INODES = tuple(word for place in _PLACES for word in ("--tmpfs", f"{place}=1m,nr_inodes=1"))
_READ_ONLY = tuple(word for place in _PLACES for word in ("--read-only", place))
_NO_PROCESS = ("--tmpfs", "/tmp", "--no-fork", "--limit", "nproc=77")
_NO_DESCRIPTOR = ("--tmpfs", "/tmp", "--limit", "nofile=9")
_LACKS = [_TMP_FULL, _NO_INODES, _READ_ONLY, _NO_PROCESS, _NO_DESCRIPTOR]
_NAMES = ["full", "no inodes", "read-only", "no process", "no descriptor"]


@pytest.fixture
def project() -> Iterator[Path]:
    """Return a project in a directory that a private /tmp does not hide."""
    path = Path(tempfile.mkdtemp(prefix="rst.", dir=os.environ["TEST_TMPDIR"]))
    (path / "pyproject.toml").write_text(
        '[tool.realservices.services.web]\nkind = "executable"\n'
        'command = ["{python}", "-m", "http.server", "-b", "127.0.0.1", "$(port http)"]\n',
        "utf-8",
    )
    yield path
    shutil.rmtree(path)


def _run(project: Path, enclosure: tuple[str, ...], *arguments: str) -> Outcome:
    registry = {"REALSERVICES_REGISTRY": str(project / "registry"), "BUILD_WORKING_DIRECTORY": str(project)}
    outcome = run(*arguments, enclosure=("--uid", "1000", *enclosure), env=registry)
    assert "Traceback" not in outcome.output + outcome.errors
    return outcome


@pytest.mark.parametrize(
    ("enclosure", "words"),
    [
        (
            _NO_INODES,
            "no directory for the session's services: /tmp/realservices-1000: No space left on device: the file ",
        ),
        (_READ_ONLY, "no directory for the session's services: /tmp: a read-only file system; /dev/shm: a read-only "),
        (_NO_PROCESS, "no further process or thread can be started: RLIMIT_NPROC is 77"),
        (_NO_DESCRIPTOR, "no file descriptor is left: RLIMIT_NOFILE is 9"),
    ],
    ids=_NAMES[1:],
)
def test_up_says_what_it_lacks(project: Path, enclosure: tuple[str, ...], words: str) -> None:
    outcome = _run(project, enclosure, "up")
    assert outcome.code == 1
    assert outcome.errors.startswith("realservices up: ")
    assert words in outcome.errors
    assert not list(project.glob(".service_discovery/*.json"))


def test_up_in_a_project_that_cannot_be_written_to(project: Path) -> None:
    outcome = _run(project, ("--tmpfs", "/tmp", "--read-only", str(project)), "up")
    assert outcome.code == 1
    assert (
        f"REALSERVICES_REGISTRY={project}/registry: {project}/registry lies on a read-only file system"
        in outcome.errors
    )


def test_up_in_a_project_that_cannot_have_discovery_files(project: Path) -> None:
    (project / ".service_discovery").mkdir()
    enclosure = ("--tmpfs", "/tmp", "--read-only", str(project / ".service_discovery"))
    outcome = _run(project, enclosure, "up")
    assert outcome.code == 1
    assert "service 'web': it cannot be started: " in outcome.errors
    assert "lies on a read-only file system; mount it writable" in outcome.errors


@pytest.mark.parametrize("enclosure", _LACKS, ids=_NAMES)
@pytest.mark.parametrize("command", ["status", "clean"])
def test_who_makes_nothing_lacks_nothing(project: Path, enclosure: tuple[str, ...], command: str) -> None:
    outcome = _run(
        project, (*enclosure, "--tmpfs", "/var/tmp"), command, *(["--dry-run"] if command == "clean" else [])
    )
    assert outcome.errors == ""
    assert outcome.code == (1 if command == "status" else 0)


@pytest.mark.parametrize("enclosure", _LACKS, ids=_NAMES)
def test_doctor_examines_it(project: Path, enclosure: tuple[str, ...]) -> None:
    outcome = _run(project, enclosure, "doctor", "--json")
    if enclosure is _TMP_FULL:
        assert outcome.finding("temporary_space")["found"].startswith("0 bytes free in /tmp")
    if enclosure is _NO_INODES:
        assert re.fullmatch(r"0 of \d inodes free in /tmp", outcome.finding("temporary_space")["found"])


def test_a_home_that_cannot_be_written_to(project: Path) -> None:
    home = project / "home"
    templates = home / ".cache" / "rules_realservices" / "templates"
    templates.mkdir(parents=True)
    (templates / "gone.lock").touch()
    registry = {"REALSERVICES_REGISTRY": str(project / "registry"), "HOME": str(home)}
    for command in (("clean", "--dry-run"), ("status",), ("doctor",)):
        enclosure = ("--uid", "1000", "--tmpfs", "/tmp", "--read-only", str(home))
        outcome = run(*command, enclosure=enclosure, env=registry)
        assert "Traceback" not in outcome.output + outcome.errors, command
        assert "the check itself failed" not in outcome.output, command
