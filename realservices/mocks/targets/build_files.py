"""A BUILD file: which target has a test file, and the same text with `real_service_test` and its services.

Read by its syntax, which is that of Python, and changed where it has to be, by buildozer where that is installed:
formatting and comments stay.
"""

from __future__ import annotations

import ast
import fnmatch
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError
from realservices.mocks.targets.foreign_attributes import idle_attributes, without_attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

RULE = "real_service_test"
_CONVERTED = ("py_test", RULE)
_UNCHANGED = 3  # buildozer's exit code where there was nothing to do.


class BuildFileError(RealServicesError):
    """A BUILD file, or a target in it, that cannot be changed."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target: its rule, name, the call, and the labels of its services."""

    rule: str
    name: str
    call: ast.Call
    services: tuple[str, ...]
    has_list: bool


def read_targets(text: str, where: str) -> list[tuple[Target, list[str]]]:
    """Return the targets with sources, each with their patterns.

    Args:
        text: The BUILD file.
        where: Its name, for messages.

    Raises:
        BuildFileError: It cannot be parsed.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise BuildFileError(f"{where}: it cannot be read: {error}") from error
    found = []
    for node in tree.body:
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        words = {word.arg: word.value for word in call.keywords}
        name, srcs, services = words.get("name"), words.get("srcs"), words.get("services")
        if isinstance(name, ast.Constant) and srcs is not None:
            target = Target(
                call.func.id,
                str(name.value),
                call,
                tuple(_texts(services)),
                services is None or isinstance(services, ast.List),
            )
            found.append((target, _patterns(srcs)))
    return found


def target_of(text: str, source: str, where: str) -> Target | None:
    """Return the target that has a source, preferring tests, None where none has."""
    matching = [
        target
        for target, patterns in read_targets(text, where)
        if any(_matches(source, pattern) for pattern in patterns)
    ]
    return next((target for target in matching if target.rule in _CONVERTED), None)


def services_in(text: str, where: str) -> dict[str, str]:
    """Return the name of the first service of each kind that a BUILD file declares."""
    found: dict[str, str] = {}
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise BuildFileError(f"{where}: it cannot be read: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("_service"):
            name = next((word.value for word in node.keywords if word.arg == "name"), None)
            if isinstance(name, ast.Constant):
                found.setdefault(node.func.id.removesuffix("_service"), str(name.value))
    return found


def with_services(text: str, target: Target, labels: Sequence[str], load: str, where: str) -> str:
    """Return the file with a target that is a `real_service_test` and has services.

    Args:
        text: The file.
        target: One of its targets.
        labels: Those that the target is to have, beside those that it has.
        load: The file that the rule is loaded from.
        where: The file's name, for messages.

    Raises:
        BuildFileError: The target's services are no list, or buildozer refuses.
        ForeignAttributeError: It has an attribute that a `real_service_test` cannot have.
    """
    missing = [label for label in labels if label not in target.services]
    if not missing and target.rule == RULE:
        return text
    if not target.has_list:
        raise BuildFileError(f"{where}: the services of {target.name} are no list; add {', '.join(missing)} by hand")
    idle = idle_attributes(target, where) if target.rule != RULE else []
    if buildozer := shutil.which("buildozer"):
        return _by_buildozer(buildozer, text, target, missing, idle, load)
    if idle:
        text = without_attributes(text, target.call, idle)
        target = next(each for each, _ in read_targets(text, where) if each.name == target.name)
    lines = _Lines(text)
    call = target.call
    if missing:
        _add_services(lines, call, missing)
    if target.rule != RULE:
        lines.replace(call.func, RULE)
    changed = lines.text()
    if target.rule != RULE:
        changed = _without_load(_with_load(changed, load, RULE), target.rule)
    return changed


def with_target(text: str, sources: Sequence[str], labels: Sequence[str], load: str) -> str:
    """Return the file with a new target for a test that none has; its conftest.py files come before it."""
    name = sources[-1].removesuffix(".py").replace("/", "_")
    srcs, services = _list(sources, "    "), _list(labels, "    ")
    block = f'{RULE}(\n    name = "{name}",\n    srcs = {srcs},\n    services = {services},\n)\n'
    body = _with_load(text, load, RULE)
    return f"{body.rstrip()}\n\n{block}" if body.strip() else block


def _by_buildozer(
    program: str, text: str, target: Target, missing: Sequence[str], idle: Sequence[str], load: str
) -> str:
    commands = [([f"add services {label}" for label in missing], target.name)] if missing else []
    if target.rule != RULE:
        commands.append(([*(f"remove {name}" for name in idle), f"set kind {RULE}"], target.name))
        commands.append(([f"new_load {load} {RULE}", "fix unusedLoads"], "__pkg__"))
    for words, name in commands:
        done = subprocess.run(
            [program, *words, f"-:{name}"], input=text, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode not in (0, _UNCHANGED):
            raise BuildFileError(
                f"buildozer {words} -:{name}: exit code {done.returncode}: {done.stderr.strip()[-500:]}"
            )
        text = done.stdout or text
    return text


class _Lines:
    """Replacements in a text by the places of syntax, the last first."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        starts = [0]
        for line in self._text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        self._starts = starts
        self._changes: list[tuple[int, int, str]] = []

    def offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column

    def end(self, node: ast.expr) -> int:
        return self.offset(node.end_lineno or 1, node.end_col_offset or 0)

    def line_at(self, number: int) -> str:
        return self._text[self._starts[number - 1] : self._starts[number]].decode()

    def replace(self, node: ast.expr, new: str) -> None:
        self._changes.append((self.offset(node.lineno, node.col_offset), self.end(node), new))

    def insert(self, place: int, new: str) -> None:
        self._changes.append((place, place, new))

    def text(self) -> str:
        data = self._text
        for begin, end, new in sorted(self._changes, reverse=True):
            data = data[:begin] + new.encode() + data[end:]
        return data.decode()


def _add_services(lines: _Lines, call: ast.Call, missing: Sequence[str]) -> None:
    words = {word.arg: word for word in call.keywords}
    services = words.get("services")
    if services is not None and isinstance(services.value, ast.List):
        known = [str(each.value) for each in services.value.elts if isinstance(each, ast.Constant)]
        indent = " " * (len(lines.line_at(services.lineno)) - len(lines.line_at(services.lineno).lstrip()))
        lines.replace(services.value, _list([*known, *missing], indent))
        return
    is_broken = call.end_lineno != call.lineno
    behind = words.get("deps")
    if not is_broken:
        place = lines.offset(behind.lineno, behind.col_offset) if behind else lines.end(call) - 1
        text = f"services = {_list(missing, None)}"
        lines.insert(place, f"{text}, " if behind else f", {text}")
        return
    first = call.keywords[0]
    indent = " " * first.col_offset
    line = f"{indent}services = {_list(missing, indent)},\n"
    number = behind.lineno if behind else (call.end_lineno or 1)
    lines.insert(lines.offset(number, 0), line)


def _list(labels: Sequence[str], indent: str | None) -> str:
    if len(labels) == 1 or indent is None:
        return f"[{', '.join(_quoted(label) for label in labels)}]"
    inner = "".join(f"{indent}    {_quoted(label)},\n" for label in labels)
    return f"[\n{inner}{indent}]"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _loads(tree: ast.Module) -> list[ast.Call]:
    return [
        node.value
        for node in tree.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "load"
    ]


def _with_load(text: str, file: str, symbol: str) -> str:
    loads = _loads(ast.parse(text))
    lines = _Lines(text)
    for call in loads:
        names = [each.value for each in call.args if isinstance(each, ast.Constant)]
        if names[:1] == [file]:
            if symbol in names:
                return text
            ordered = sorted(str(name) for name in [*names[1:], symbol])
            lines.replace(call, f"load({', '.join(map(_quoted, [file, *ordered]))})")
            return lines.text()
    new = f"load({_quoted(file)}, {_quoted(symbol)})\n"
    if loads:
        lines.insert(lines.offset((loads[-1].end_lineno or 1) + 1, 0), new)
        return lines.text()
    docstring = ast.parse(text).body[:1]
    if docstring and isinstance(docstring[0], ast.Expr) and isinstance(docstring[0].value, ast.Constant):
        lines.insert(lines.end(docstring[0].value), f"\n\n{new.rstrip()}")
        return lines.text()
    return f"{new}\n{text}" if text.strip() else new


def _without_load(text: str, symbol: str) -> str:
    """Return the file without the load of a symbol that it does not use any more."""
    tree = ast.parse(text)
    if any(isinstance(node, ast.Name) and node.id == symbol for node in ast.walk(tree)):
        return text
    for call in _loads(tree):
        names = [str(each.value) for each in call.args if isinstance(each, ast.Constant)]
        if symbol not in names[1:]:
            continue
        lines = _Lines(text)
        kept = [name for name in names[1:] if name != symbol]
        if kept or call.keywords:
            lines.replace(
                call, f"load({', '.join(map(_quoted, [names[0], *kept]))})" if not call.keywords else ast.unparse(call)
            )
            return lines.text()
        rows = text.splitlines(keepends=True)
        return "".join(rows[: call.lineno - 1] + rows[(call.end_lineno or call.lineno) :])
    return text


def _texts(node: ast.expr | None) -> list[str]:
    return (
        [str(each.value) for each in node.elts if isinstance(each, ast.Constant)] if isinstance(node, ast.List) else []
    )


def _patterns(srcs: ast.expr) -> list[str]:
    if isinstance(srcs, ast.BinOp):
        return [*_patterns(srcs.left), *_patterns(srcs.right)]
    if isinstance(srcs, ast.Call) and ast.unparse(srcs.func) in ("glob", "native.glob"):
        words = {word.arg: word.value for word in srcs.keywords}
        return _texts(srcs.args[0] if srcs.args else words.get("include"))
    return _texts(srcs)


def _matches(source: str, pattern: str) -> bool:
    pattern = pattern.removeprefix(":")
    if "**" in pattern:
        return any(fnmatch.fnmatchcase(source, each) for each in (pattern, pattern.replace("**/", "")))
    return source.count("/") == pattern.count("/") and fnmatch.fnmatchcase(source, pattern)
