"""Machines that have run out of something: said in words, with the remedy, and no test's result is another by it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launcher.executables import PORT, executable
from tests.launcher.launched import Launched, postgres, redis

_CLEAN = "`python -m realservices clean` removes what killed sessions left"
_PRIVATE = ["--uid", "1000", "--tmpfs", "/dev/shm"]


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """Return a directory that a private /tmp does not hide."""
    path = Path(tempfile.mkdtemp(prefix="rst.", dir="/dev/shm"))
    yield path
    shutil.rmtree(path)


def _refused(launched: Launched) -> list[str]:
    """Check that a launcher has ended as on a machine that lacks something; return component and reason."""
    assert launched.wait() == 1
    assert "Traceback" not in launched.output
    component, reason, rest = launched.written("infrastructure_failure").split("\n")
    assert rest == ""
    assert reason in launched.output
    assert not (launched.directory / "premature_exit").exists()
    return [component, reason]


@pytest.mark.parametrize(
    ("shape", "room"),
    [("64k", "0 bytes of 64.0 KB are free"), ("1m,nr_inodes=3", "0 bytes of 1.0 MB are free, 0 of ")],
    ids=["no space", "no inodes"],
)
def test_a_full_tmp(elsewhere: Path, shape: str, room: str) -> None:
    enclosure = ["--uid", "1000", "--tmpfs", f"/tmp={shape}", "--fill", "/tmp"]
    with Launched(elsewhere / "run", [redis()], enclosure=enclosure, base="/dev/shm") as launched:
        component, reason = _refused(launched)
    assert component in ("disk", "directories")
    assert "No space left on device: the file system of /tmp" in reason
    assert room in reason
    assert f"; make room there ({_CLEAN})" in reason


def test_a_test_tmpdir_without_inodes(tmp_path: Path) -> None:
    enclosure = [*_PRIVATE, "--tmpfs", "/var/tmp=1m,nr_inodes=1"]
    with Launched(tmp_path / "run", [redis()], enclosure=enclosure, env={"TEST_TMPDIR": "/var/tmp"}) as launched:
        component, reason = _refused(launched)
    assert component == "directories"
    assert reason.startswith("cannot make /var/tmp/scratch.")
    assert "No space left on device: the file system of /var/tmp/scratch." in reason
    assert "1.0 MB of 1.0 MB are free, 0 of 1 inodes; make room there" in reason


def test_a_read_only_test_tmpdir(tmp_path: Path) -> None:
    enclosure = [*_PRIVATE, "--read-only", "/var/tmp"]
    with Launched(tmp_path / "run", [redis()], enclosure=enclosure, env={"TEST_TMPDIR": "/var/tmp"}) as launched:
        component, reason = _refused(launched)
    assert component == "directories"
    assert reason.startswith("cannot make /var/tmp/scratch.")
    assert "lies on a read-only file system; mount it writable, or name another directory" in reason


def test_a_full_registry(tmp_path: Path) -> None:
    enclosure = ["--uid", "1000", "--tmpfs", "/dev/shm=64k,nr_inodes=2"]
    with Launched(
        tmp_path / "run", [redis()], enclosure=enclosure, env={"REALSERVICES_REGISTRY": "/dev/shm/here/registry"}
    ) as launched:
        component, reason = _refused(launched)
    assert component == "registry"
    assert reason.startswith("REALSERVICES_REGISTRY=/dev/shm/here/registry: No space left on device")
    assert "0 of 2 inodes" in reason


def test_no_further_process(tmp_path: Path) -> None:
    enclosure = [*_PRIVATE, "--limit", "nproc=77", "--no-fork"]
    with Launched(tmp_path / "run", [redis()], enclosure=enclosure) as launched:
        component, reason = _refused(launched)
    assert component == "processes"
    assert reason.startswith(
        "the machine does not give what the test needs: no further process or thread can be started: RLIMIT_NPROC is 77; "
    )
    assert "raise the limit (`ulimit -u 4096`)" in reason


def test_few_descriptors(tmp_path: Path, template: Path) -> None:
    """Whatever is the first that lacks one, from the first file that is opened to the last."""
    refused = 0
    for limit in (6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 200):
        services = [redis(), postgres()]
        enclosure = [*_PRIVATE, "--limit", f"nofile={limit}"]
        directory = tmp_path / str(limit)
        script = "#!/bin/sh\nexit 0\n"
        with Launched(directory, services, template=template, enclosure=enclosure, script=script) as launched:
            code = launched.wait()
            assert "Traceback" not in launched.output, limit
            if code:
                refused += 1
                assert launched.written("infrastructure_failure"), (limit, launched.output)
                component, reason, _ = launched.written("infrastructure_failure").split("\n")
                assert component == "descriptors", (limit, launched.output)
                assert f"no file descriptor is left: RLIMIT_NOFILE is {limit}; raise it (`ulimit -n 4096`)" in reason
    assert 0 < refused < 12


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tmpfs", "/var/tmp=64k", "--fill", "/var/tmp"], "No space left on device: the file system of /var/tmp/"),
        (["--tmpfs", "/var/tmp=64k,nr_inodes=1"], "0 of 1 inodes; make room there"),
        (["--read-only", "/var/tmp"], "lies on a read-only file system"),
    ],
    ids=["full", "no inodes", "read-only"],
)
def test_no_room_for_what_bazel_reads_leaves_the_result_as_it_is(
    tmp_path: Path, options: list[str], words: str, code: int
) -> None:
    env = {
        name: f"/var/tmp/{name}"
        for name in ("XML_OUTPUT_FILE", "TEST_WARNINGS_OUTPUT_FILE", "TEST_PREMATURE_EXIT_FILE")
    }
    env |= {"TEST_UNDECLARED_OUTPUTS_DIR": "/var/tmp", "REALSERVICES_LOGS": "always"}
    with Launched(tmp_path / "run", [redis()], enclosure=[*_PRIVATE, *options], env=env) as launched:
        assert launched.finish(code) == code, launched.output
    assert "Traceback" not in launched.output
    for what in ("keep cache.log whole", "write services.json", "write the test's report"):
        assert f"realservices: cannot {what}: " in launched.output
    assert words in launched.output


def test_a_report_that_does_not_fit_leaves_the_programs_own(tmp_path: Path) -> None:
    enclosure = [*_PRIVATE, "--tmpfs", "/var/tmp=8k"]
    own = f"<testsuites>{'x' * 5000}</testsuites>"
    script = f"""#!/bin/sh
printf '%s' '{own}' > "$XML_OUTPUT_FILE"
"""
    with Launched(
        tmp_path / "run", [redis()], enclosure=enclosure, env={"XML_OUTPUT_FILE": "/var/tmp/test.xml"},
        script=script, after="cat /var/tmp/test.xml; ls /var/tmp",
    ) as launched:  # fmt: skip
        assert launched.wait() == 0, launched.output
    assert (
        "realservices: cannot write the test's report: No space left on device: the file system of " in launched.output
    )
    assert launched.output.endswith(f"{own}test.xml\n")


def test_a_service_that_fills_the_disk_does_not_fail_the_test(elsewhere: Path) -> None:
    enclosure = ["--uid", "1000", "--tmpfs", "/tmp=4m"]
    chatty = executable("chatty", "flood", "40000000", "print", "the end", "listen", PORT)
    with Launched(elsewhere / "run", [chatty], enclosure=enclosure, base="/dev/shm") as launched:
        assert launched.program.pid
        assert launched.finish(0) == 0, launched.output
    assert "Traceback" not in launched.output
    warning = launched.written("warnings")
    assert warning.startswith("chatty.log is not whole: 3")
    assert warning.endswith(" bytes of what it wrote were lost: No space left on device\n")
    assert warning.count("\n") == 1


def test_what_was_lost_is_told_beside_a_dead_service(elsewhere: Path) -> None:
    enclosure = ["--uid", "1000", "--tmpfs", "/tmp=4m"]
    chatty = executable("chatty", "flood", "40000000", "print", "the end", "exit", "9")
    with Launched(elsewhere / "run", [chatty], enclosure=enclosure, base="/dev/shm") as launched:
        assert launched.wait() == 1
    assert "service 'chatty' (//app:chatty) exited with code 9" in launched.output
    assert "\n    the end\n    (3" in launched.output
    assert " bytes of what it wrote were lost: No space left on device)" in launched.output
    assert " … (and 39934464 more bytes in this line)" in launched.output
