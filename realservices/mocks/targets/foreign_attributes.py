"""What only a `py_test` can say: removed where it means nothing to pytest, else refused."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError

if TYPE_CHECKING:
    from realservices.mocks.targets.build_files import Target

# pytest runs the sources by their names: what starts them, and how they are packed, is nothing to it.
_IDLE = frozenset({"legacy_create_init", "main", "precompile", "pyc_collection", "srcs_version", "stamp"})
_MEANT = frozenset({"config_settings", "interpreter_args", "main_module", "python_version"})


class ForeignAttributeError(RealServicesError):
    """A target has an attribute that a `real_service_test` lacks, and that changes what runs."""


def idle_attributes(target: Target, where: str) -> list[str]:
    """Return the attributes of a `py_test` that are to go.

    Raises:
        ForeignAttributeError: One that changes what runs is among those that cannot stay.
    """
    names = [str(word.arg) for word in target.call.keywords]
    if meant := next((name for name in names if name in _MEANT), ""):
        raise ForeignAttributeError(
            f"{where}: {target.name} has {meant}, which real_service_test does not have: take it out by hand, or leave "
            "the target a py_test that is the test of a real_service_test(test = …)"
        )
    return [name for name in names if name in _IDLE]


def without_attributes(text: str, call: ast.Call, names: list[str]) -> str:
    """Return a BUILD file without some attributes of one call; those on lines of their own go with the lines."""
    lines = text.encode().splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
    data = b"".join(lines)
    words = call.keywords
    for number in reversed([number for number, word in enumerate(words) if word.arg in names]):
        word = words[number]
        begin = starts[word.lineno - 1] + word.col_offset
        end = starts[(word.value.end_lineno or 1) - 1] + (word.value.end_col_offset or 0)
        if not lines[word.lineno - 1][: word.col_offset].strip():
            begin, end = starts[word.lineno - 1], data.find(b"\n", end) + 1
        elif any(later.arg not in names for later in words[number + 1 :]):
            end = starts[words[number + 1].lineno - 1] + words[number + 1].col_offset
        elif number:
            before = words[number - 1].value
            begin = starts[(before.end_lineno or 1) - 1] + (before.end_col_offset or 0)
        data = data[:begin] + data[end:]
    return data.decode()
