"""What `migrate scan --json` prints; docs/mocks.md describes it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from realservices.mocks.counts import count, leaving, order

if TYPE_CHECKING:
    from realservices.mocks.counts import Counts
    from realservices.mocks.scan_model import MockUse, Suite, TestFile

VERSION = 1


def scan_as_json(suite: Suite) -> dict[str, Any]:
    """Return a scan as JSON has it."""
    return {
        "version": VERSION,
        "root": str(suite.root),
        "counts": counts_as_json(count(suite)),
        "files": [_file(file) for file in suite.files if not file.error],
        "order": [
            {"path": step.file.path.as_posix(), "gain": step.gain, "effort": step.effort} for step in order(suite)
        ],
        "unreadable": [{"path": file.path.as_posix(), "error": file.error} for file in suite.unreadable],
    }


def counts_as_json(counts: Counts) -> dict[str, Any]:
    """Return counts as JSON has them, in a scan and in each line of a history."""
    return {**dataclasses.asdict(counts), "staying": counts.staying}


def _file(file: TestFile) -> dict[str, Any]:
    return {
        "path": file.path.as_posix(),
        "complexity": file.complexity.value,
        "tests": file.tests,
        "leaving": len(leaving(file)),
        "mocks": [use_as_json(use) for use in file.uses],
    }


def use_as_json(use: MockUse) -> dict[str, Any]:
    """Return a mock as JSON has it."""
    return {**dataclasses.asdict(use), "form": use.form.value, "service": use.service.value}
