"""The files by which Bazel learns how a test action went, besides its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.launcher.launched import Launched, postgres, redis

_NO_PORTS = {"REALSERVICES_PORT_RANGE": "1024-1025"}


def test_the_premature_exit_file_is_there_while_it_runs_and_gone_at_the_end(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", []) as launched:
        assert launched.program.pid
        assert (launched.directory / "premature_exit").exists()
        assert launched.finish(1) == 1
        assert not (launched.directory / "premature_exit").exists()


def test_a_killed_launcher_leaves_the_premature_exit_file(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", []) as launched:
        assert launched.program.pid
        launched.kill_and_await_guardian()
        assert (launched.directory / "premature_exit").exists()


def test_a_program_that_leaves_its_premature_exit_file_fails(tmp_path: Path) -> None:
    # As after os._exit(0) in the middle of a test.
    with Launched(tmp_path / "run", []) as launched:
        launched.program.do("premature")
        assert launched.finish(0) == 1
        assert launched.output == (
            "\nrealservices: //app:app_test: the test program exited with code 0 before its tests were done: the file that "
            "TEST_PREMATURE_EXIT_FILE names is still there\n"
        )
        assert not (launched.directory / "premature_exit").exists()


def test_no_warnings_no_file(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        launched.finish()
        assert not (launched.directory / "warnings").exists()
        assert not (launched.directory / "infrastructure_failure").exists()


def test_a_fault_of_the_machine_is_reported_as_one(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis(), redis("two"), redis("three")], env=_NO_PORTS) as launched:
        assert launched.wait() == 1
        reason = (
            "no free block of 16 ports for 3 ports in 1024-1025: of 1 blocks 0 are held by other launchers and 0 have"
        )
        component, first_line, *rest = launched.written("infrastructure_failure").split("\n")
        assert component == "ports"
        assert first_line.startswith(reason)
        assert rest == [""]
        assert launched.output.startswith(f"realservices: ports: {reason}")
        assert not (launched.directory / "premature_exit").exists()
        assert list((launched.directory / "tmp").iterdir()) == []


def test_an_unusable_directory_for_the_sandbox_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()], env={"TEST_TMPDIR": "/proc/nowhere"}) as launched:
        assert launched.wait() == 1
        assert "Traceback" not in launched.output
        assert launched.written("infrastructure_failure").startswith("directories\ncannot make /proc/nowhere/scratch.")


def test_a_failing_test_keeps_a_log_per_service(tmp_path: Path, template: Path) -> None:
    with Launched(tmp_path / "run", [postgres(), redis()], template=template) as launched:
        assert launched.finish(3) == 3
        assert sorted(path.name for path in (launched.directory / "outputs").iterdir()) == [
            "cache.log",
            "db.log",
            "services.json",
        ]
        assert "ready to accept connections" in launched.written("outputs/db.log")
        assert "Ready to accept connections" in launched.written("outputs/cache.log")


def test_a_passing_test_keeps_none(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        launched.finish()
        assert list((launched.directory / "outputs").iterdir()) == []


def test_logs_can_be_wanted_always(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()], env={"REALSERVICES_LOGS": "always"}) as launched:
        launched.finish()
        assert "Ready to accept connections" in launched.written("outputs/cache.log")


@pytest.mark.parametrize("missing", ["", "/nonexistent/outputs"])
def test_a_missing_place_for_logs_is_no_trouble(tmp_path: Path, missing: str) -> None:
    with Launched(tmp_path / "run", [redis()], env={"TEST_UNDECLARED_OUTPUTS_DIR": missing}) as launched:
        assert launched.finish(3) == 3


def test_outside_of_bazel_no_file_is_written(tmp_path: Path) -> None:
    names = (
        "XML_OUTPUT_FILE",
        "TEST_WARNINGS_OUTPUT_FILE",
        "TEST_INFRASTRUCTURE_FAILURE_FILE",
        "TEST_PREMATURE_EXIT_FILE",
        "TEST_TMPDIR",
    )
    with Launched(tmp_path / "run", [redis()], env=dict.fromkeys(names, "")) as launched:
        assert launched.finish(3) == 3
        assert {path.name for path in launched.directory.iterdir()} == {"outputs", "tmp"}
