"""Count the mocks of a suite, and put its files in the order of migration: by complexity, then by gain and effort."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.mocks.scan_model import Complexity, Form, Service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realservices.mocks.scan_model import MockUse, Suite, TestFile

_GAINS = {
    Service.POSTGRES: 3,
    Service.REDIS: 3,
    Service.CLICKHOUSE: 3,
    Service.HTTP: 2,
    Service.WEBSOCKET: 2,
    Service.FILES: 1,
}
"""What a real service in a mock's place is worth: it finds what a mock hides, and there is a fixture for it."""
_EFFORT, _EFFORT_IF_HARD = 1, 3
_RANKS = {complexity: rank for rank, complexity in enumerate(Complexity)}


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Numbers of a suite.

    Attributes:
        files: Files that were read.
        files_with_mocks: Those with mocks that are to be replaced.
        tests: Tests in them all.
        mocks: All mocks.
        leaving: Those that are to be replaced.
        unreadable: Files that could not be read.
        by_service: Mocks to be replaced, by what they stand for.
        by_form: All mocks, by how they are made.
        by_complexity: Files with mocks that are to be replaced, by complexity.
    """

    files: int
    files_with_mocks: int
    tests: int
    mocks: int
    leaving: int
    unreadable: int
    by_service: Mapping[str, int]
    by_form: Mapping[str, int]
    by_complexity: Mapping[str, int]

    @property
    def staying(self) -> int:
        """Mocks that are right to stay."""
        return self.mocks - self.leaving


@dataclass(frozen=True, kw_only=True)
class Step:
    """A file in the order of migration.

    Attributes:
        file: The file.
        gain: What is won: by the services of its mocks, and by the files that get mocks from it.
        effort: What it costs: by the number of its mocks, and by what makes them hard.
    """

    file: TestFile
    gain: int
    effort: int


def leaving(file: TestFile) -> list[MockUse]:
    """Return a file's mocks that are to be replaced."""
    return [use for use in file.uses if not use.stays]


def count(suite: Suite) -> Counts:
    """Count a suite's mocks."""
    readable = [file for file in suite.files if not file.error]
    uses = [use for file in readable for use in file.uses]
    mocked = [file for file in readable if leaving(file)]
    services = Counter(use.service.value for use in uses if not use.stays)
    forms = Counter(use.form.value for use in uses)
    grades = Counter(file.complexity.value for file in mocked)
    return Counts(
        files=len(readable),
        files_with_mocks=len(mocked),
        tests=sum(file.tests for file in readable),
        mocks=len(uses),
        leaving=suite.leaving,
        unreadable=len(suite.unreadable),
        by_service={one.value: services[one.value] for one in Service if services[one.value]},
        by_form={one.value: forms[one.value] for one in Form if forms[one.value]},
        by_complexity={one.value: grades[one.value] for one in Complexity},
    )


def order(suite: Suite) -> list[Step]:
    """Return the files with mocks that are to be replaced, in the order in which to migrate them."""
    users = _users(suite.files)
    steps = [_step(file, users) for file in suite.files if leaving(file)]
    return sorted(steps, key=lambda step: (_RANKS[step.file.complexity], -step.gain / step.effort, step.file.path))


def _step(file: TestFile, users: Counter[str]) -> Step:
    uses = leaving(file)
    gain = sum(_GAINS.get(use.service, 0) for use in uses)
    gain += sum(users[name] for name in dict.fromkeys(_key(file, use) for use in uses))
    effort = sum(_EFFORT_IF_HARD if use.hard else _EFFORT for use in uses)
    return Step(file=file, gain=gain, effort=effort)


def _users(files: Sequence[TestFile]) -> Counter[str]:
    """Count the files that get a mock from another, by that file's name and the fixture, function or class in it."""
    users: Counter[str] = Counter()
    for file in files:
        for use in file.uses:
            if use.form is Form.INHERITED:
                module, _, name = use.api.rpartition(".")
                users[f"{module.rpartition('.')[2]}.{name}"] += 1
    return users


def _key(file: TestFile, use: MockUse) -> str:
    stem = file.path.parent.name if file.path.name == "__init__.py" else file.path.stem
    return f"{stem}.{use.scope.partition('.')[0]}"
