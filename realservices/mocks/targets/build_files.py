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
from realservices.mocks.targets.build_lines import Lines, quoted, with_load, without_load
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
    lines = Lines(text)
    call = target.call
    if missing:
        _add_services(lines, call, missing)
    if target.rule != RULE:
        lines.replace(call.func, RULE)
    changed = lines.text()
    if target.rule != RULE:
        changed = without_load(with_load(changed, load, RULE), target.rule)
    return changed


def with_target(text: str, sources: Sequence[str], labels: Sequence[str], load: str) -> str:
    """Return the file with a new target for a test that none has; its conftest.py files come before it."""
    name = sources[-1].removesuffix(".py").replace("/", "_")
    srcs, services = _list(sources, "    "), _list(labels, "    ")
    block = f'{RULE}(\n    name = "{name}",\n    srcs = {srcs},\n    services = {services},\n)\n'
    body = with_load(text, load, RULE)
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


def _add_services(lines: Lines, call: ast.Call, missing: Sequence[str]) -> None:
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
        return f"[{', '.join(quoted(label) for label in labels)}]"
    inner = "".join(f"{indent}    {quoted(label)},\n" for label in labels)
    return f"[\n{inner}{indent}]"


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
