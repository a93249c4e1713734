"""What test runs have said of a suite's files: pytest's own cache of the last runs here, and CI's JUnit files."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from realservices.contract.errors import RealServicesError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_CACHE = ".pytest_cache/v/cache"


class DamagedResultsError(RealServicesError):
    """A JUnit file that cannot be read."""


@dataclass(slots=True)
class Results:
    """Numbers of tests by file.

    Attributes:
        ran: Tests that have run.
        failed: Those that failed.
        source: Where that is from, for people; "" where nothing is known.
    """

    ran: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    source: str = ""


def local_results(root: Path) -> Results:
    """Return what pytest has cached of its last runs in a project; nothing where it has no cache or a damaged one."""
    nodes = _cached(root, "nodeids")
    failed = _cached(root, "lastfailed")
    if not isinstance(nodes, list):
        return Results()
    results = Results(source=f"{_CACHE} of the project")
    results.ran.update(str(node).partition("::")[0] for node in nodes)
    results.failed.update(str(node).partition("::")[0] for node in (failed or ()))
    return results


def _cached(root: Path, name: str) -> Any:
    try:
        return json.loads((root / _CACHE / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def junit_results(paths: Sequence[Path]) -> Results:
    """Return what JUnit files say.

    Raises:
        DamagedResultsError: One cannot be read.
    """
    results = Results(source=", ".join(path.name for path in paths))
    for path in paths:
        try:
            # Written by the user's own test run, not fetched from anywhere.
            cases = list(ElementTree.parse(path).iter("testcase"))  # noqa: S314
        except (OSError, ElementTree.ParseError) as error:
            raise DamagedResultsError(f"{path} is no JUnit file that can be read: {error}") from None
        for case in cases:
            if case.find("skipped") is not None:
                continue
            name = case.get("file") or _path_of(case.get("classname", ""))
            results.ran[name] += 1
            results.failed[name] += case.find("failure") is not None or case.find("error") is not None
    return results


def _path_of(class_name: str) -> str:
    """Return the path of a test's file by what pytest calls its class: "tests.test_it.TestCase"."""
    parts = class_name.split(".")
    while len(parts) > 1 and parts[-1][:1].isupper():
        parts.pop()
    return "/".join(parts) + ".py"
