"""The launcher: runs the test, or the group of services, that a manifest describes and tells Bazel how it went."""

from __future__ import annotations

import os
import sys

from realservices.contract.errors import InfrastructureError, RealServicesError
from realservices.launcher import bazel_test_files
from realservices.launcher.action import Action
from realservices.launcher.junit_report import write_report
from realservices.launcher.tested_program import Program
from realservices.system.bazel_files import load_manifest, note, tell_warnings
from realservices.system.os_errors import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.manifest import Manifest
    from realservices.launcher.coverage import PythonCoverage

_EXIT_USAGE = 64  # EX_USAGE of sysexits.h: nothing that a test program usually returns.


def main(arguments: list[str]) -> int:
    """Run the test whose manifest is the first argument, with the rest as its arguments; return the exit code."""
    if not arguments:
        print("realservices: the first argument must be the path of a manifest", file=sys.stderr)
        return _EXIT_USAGE
    reserve = _reserve()
    bazel_test_files.mark_unfinished()
    try:
        code = _run(arguments[0], arguments[1:])
    except InfrastructureError as error:
        code = _told(error, reserve)
    except RealServicesError as error:
        note(str(error))
        code = 1
    except OSError as error:
        code = _told(explain(error, "the machine does not give what the test needs"), reserve)
    bazel_test_files.mark_finished()
    return code


def _python_coverage(manifest: Manifest, runfiles: str) -> PythonCoverage | None:
    """Return what measures Python code, made ready, where Bazel collects coverage."""
    directory = os.environ.get("COVERAGE_DIR")
    if not (directory and manifest.test.coverage):
        return None
    from realservices.launcher.coverage import PythonCoverage  # noqa: PLC0415 - no other test is to pay for it

    site = [f"{runfiles}/{path}" for path in manifest.test.coverage]
    coverage = PythonCoverage(site, runfiles, os.environ.get("TEST_WORKSPACE", "_main"), directory)
    coverage.prepare()
    return coverage


def _told(error: InfrastructureError, reserve: int) -> int:
    if reserve >= 0:
        os.close(reserve)
    bazel_test_files.write_infrastructure_failure(error)
    note(f"{error.component}: {error}")
    return 1


def _reserve() -> int:
    """Return a descriptor to close when there is no other: it takes one to say that there is none."""
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def _run(manifest_path: str, arguments: list[str]) -> int:
    manifest = load_manifest(manifest_path)
    runfiles = os.path.abspath(os.environ["RUNFILES_DIR"])
    if manifest.test.runner == "services":
        # Imported here: no test is to pay for it.
        from realservices.launcher.group.main import run_group  # noqa: PLC0415

        return run_group(manifest, runfiles, arguments)
    coverage = _python_coverage(manifest, runfiles)
    action = Action(manifest, runfiles, Program(manifest, runfiles, arguments))
    try:
        code, reason = action.run()
    except RealServicesError as error:
        write_report(action.timeline, [], 1, str(error), action.elapsed_s)
        raise
    for service in action.services:
        if service.machine_error:
            bazel_test_files.write_infrastructure_failure(service.machine_error)
    tell_warnings([service.log.warning for service in action.services])
    if coverage:
        tell_warnings([coverage.report()])
    if reason:
        print(f"\nrealservices: {manifest.label}: {reason}", file=sys.stderr, flush=True)
    if code or bazel_test_files.wants_logs():
        print(action.timeline.as_text(), end="", file=sys.stderr, flush=True)
    write_report(action.timeline, action.services, code, reason, action.elapsed_s)
    return code
