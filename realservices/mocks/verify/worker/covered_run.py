"""Run a test file once, under coverage: `python -m … REQUEST RESULT`, both files of JSON.

The request has `test`, `arguments`, `scratch` and `root`. The result has what a recorder keeps, `lines` (by file and
line the tests that ran it, "" for none in particular) and `modules` (those from outside of the project, as imported).
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from realservices.mocks.verify.worker.arguments import pytest_arguments
from realservices.mocks.verify.worker.modules import other_modules
from realservices.mocks.verify.worker.recorder import Recorder

if TYPE_CHECKING:
    from coverage import Coverage

_NO_COVERAGE = 77
"""Exit code where coverage is not installed."""


def main(request_file: str, result_file: str) -> int:
    """Run, and write the result."""
    if importlib.util.find_spec("coverage") is None:
        return _NO_COVERAGE
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    Path(result_file).write_text(json.dumps(_run(request)), encoding="utf-8")
    return 0


def _run(request: dict[str, Any]) -> dict[str, Any]:
    coverage = _started_coverage(request["root"])
    recorder = Recorder(switch=coverage.switch_context)
    arguments = pytest_arguments(request["test"], request["scratch"], request["arguments"])
    code = pytest.main(arguments, plugins=[recorder])
    coverage.stop()
    return recorder.result(int(code)) | {"lines": _lines(coverage), "modules": _wanted(request["root"])}


def _wanted(root: str) -> list[str]:
    """Return what the tests import from outside of the project; coverage is only ours."""
    return [name for name in other_modules(root) if name.partition(".")[0] != "coverage"]


def _started_coverage(root: str) -> Coverage:
    from coverage import Coverage  # noqa: PLC0415 - it may be missing

    # SQLAlchemy's asynchronous engines run code in greenlets.
    concurrency = ["thread", "greenlet"] if importlib.util.find_spec("greenlet") else ["thread"]
    coverage = Coverage(
        data_file=None, config_file=False, include=[f"{root}/*"], omit=["*/site-packages/*"], concurrency=concurrency
    )
    coverage.start()
    return coverage


def _lines(coverage: Coverage) -> dict[str, dict[int, list[str]]]:
    data = coverage.get_data()
    return {path: data.contexts_by_lineno(path) for path in sorted(data.measured_files())}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
