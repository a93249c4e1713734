"""Files: patched `open`, `os.path.exists` and methods of `Path` become real files in a directory of the test's own."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.handles import quoted
from realservices.mocks.convert.mock_paths import CALLED, ENTERED, Fact, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realservices.mocks.convert.test_facts import Check, Mock
    from realservices.mocks.convert.test_plan import TestPlan

_READS = {"read_text": "text", "read_bytes": "bytes", "read": "text", "readlines": "lines"}
_ASKS = {"exists", "isfile", "is_file", "isdir", "is_dir"}
_HAND = "use the fixture filesystem_sync, or tmp_path, by hand"


def plan_files(mocks: Sequence[Mock], plan: TestPlan) -> None:
    """Fill the plan of a test for all its mocks of files, which are about the same few paths.

    Raises:
        Unconvertible: It cannot be told which file is meant, or what is in it.
    """
    content: str | None = None
    is_there: bool | None = None
    for mock in mocks:
        function = mock.target.rpartition(".")[2]
        if function in _ASKS:
            is_there = _answer(mock)
        elif function == "open" or function in _READS:
            found = _content(mock, function)
            content = found if found is not None else content
        else:
            raise Unconvertible(mock.line, mock.target, "this function of the file system has no conversion", _HAND)
        plan.put(mock, "filesystem_sync")
    name = _path(mocks, plan)
    writes = [check for mock in mocks for check in mock.checks]
    written = [check for check in writes if check.path[-1:] == ("write",)]
    plan.take("filesystem_sync")
    plan.take("monkeypatch")
    plan.setup.append("monkeypatch.chdir(filesystem_sync.path())")
    if content is not None and not written and is_there is not False:
        method = "create_binary" if content.startswith("b") else "create_file"
        plan.setup.append(f"filesystem_sync.{method}({name}, {content})")
    elif is_there and not written:
        plan.setup.append(f"filesystem_sync.create_file({name})")
    for check in writes:
        _check(check, name, plan)


def _answer(mock: Mock) -> bool:
    for fact in mock.facts:
        if fact.kind is Kind.RETURNS and fact.path == () and isinstance(fact.value, ast.Constant):
            return bool(fact.value.value)
    raise Unconvertible(mock.line, mock.target, "it is not said whether the file is there", _HAND)


def _content(mock: Mock, function: str) -> str | None:
    for fact in mock.facts:
        if fact.kind is Kind.EFFECT:
            raise Unconvertible(
                fact.line, mock.target, "the mock fails", "leave the file out, or use monkeypatch for this fault"
            )
        for text in _told(fact, function):
            return text
    return None


def _told(fact: Fact, function: str) -> Iterator[str]:
    value = fact.value
    if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("mock_open"):
        given = [word.value for word in value.keywords if word.arg == "read_data"] or list(value.args[1:2])
        yield from (_shown(each) for each in given)
    elif (fact.kind is Kind.RETURNS and function in _READS and fact.path == ()) or (
        fact.kind is Kind.RETURNS and fact.path[-1:] == ("read",) and set(fact.path[:-1]) <= {CALLED, ENTERED}
    ):
        yield _shown(value)
    elif fact.path and fact.path != ("",):
        raise Unconvertible(fact.line, ast.unparse(value), "it cannot be told what is in the file", _HAND)


def _path(mocks: Sequence[Mock], plan: TestPlan) -> str:
    """Return the one relative path that the test is about, as Python's text."""
    asked = [check.arguments[0] for mock in mocks for check in mock.checks if check.arguments and check.path == ()]
    found = [text for node in asked if (text := _literal(node))]
    for node in ast.walk(plan.reading.test):
        if isinstance(node, ast.Call) and not _is_of_mock(node, plan):
            found += [
                text
                for argument in (*node.args, *(word.value for word in node.keywords))
                if (text := _literal(argument))
            ]
    for call in plan.calls:
        if call.method in (*_READS, "exists", "open") or call.receiver == "os.path":
            found += [text for argument in call.node.args if (text := _literal(argument))]
    names = list(dict.fromkeys(text for text in found if _looks_like_file(text)))
    line = mocks[0].line
    if len(names) != 1:
        shown = ", ".join(names) or "none"
        raise Unconvertible(line, mocks[0].target, f"one path is wanted that the code opens; found: {shown}", _HAND)
    if names[0].startswith(("/", "~", "..")):
        why = f"the code opens {names[0]!r}, which lies outside of the test's directory"
        raise Unconvertible(line, mocks[0].target, why, "give the code a path that the test chooses")
    return quoted(names[0])


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Path" and len(node.args) == 1:
        node = node.args[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _looks_like_file(text: str) -> bool:
    return (
        bool(text)
        and " " not in text
        and "\n" not in text
        and ("/" in text or "." in text.strip("."))
        and "://" not in text
    )


def _is_of_mock(node: ast.Call, plan: TestPlan) -> bool:
    text = ast.unparse(node.func)
    return "patch" in text or "mock_open" in text or text.split(".")[0] in plan.reading.names


def _check(check: Check, name: str, plan: TestPlan) -> None:
    if check.path[-1:] == ("write",) and check.arguments:
        text = _shown(check.arguments[0])
        method = "read_binary" if text.startswith("b") else "read_file"
        operator = "==" if check.times == 1 else "in"
        left, right = (
            (f"filesystem_sync.{method}({name})", text)
            if operator == "=="
            else (text, f"filesystem_sync.{method}({name})")
        )
        plan.check(check.line, [f"assert {left} {operator} {right}"])
    elif check.path == () and check.word == "called" and check.arguments and len(check.arguments) > 1:
        plan.check(check.line, [f"assert filesystem_sync.exists({name})"])
    elif check.path == () and check.word == "called":
        plan.note_gone(check, "that a file was opened leaves no trace")
    elif check.path == () and check.word == "not called":
        plan.note_gone(check, "that a file was not opened leaves no trace")
    else:
        raise Unconvertible(check.line, ".".join(check.path), "it cannot be told what this leaves in the file", _HAND)


def _shown(node: ast.expr) -> str:
    return quoted(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node)
