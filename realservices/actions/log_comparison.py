"""Two execution logs of the same commit: which actions have other keys, and what they began with.

An input that another action makes differs because that action's key or result does. So only the first differences of
each chain are told; what follows from them is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.actions.execution_log import read_log

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from realservices.actions.execution_log import Action, Name

_ABSENT = "(absent)"
_TEST = "TestRunner"
_MOST_SHOWN = 10
_DIGEST_LENGTH = 12


@dataclass
class Comparison:
    """What came out.

    Attributes:
        compared: How many actions both logs have.
        causes: Differences by action, in words, that follow from no other one.
        followers: By action that has another key only because of others' outputs, those.
        lonely: Actions that only one log has, with the log: ``first`` or ``second``.
    """

    compared: int = 0
    causes: dict[Name, list[str]] = field(default_factory=dict)
    followers: dict[Name, list[str]] = field(default_factory=dict)
    lonely: dict[Name, str] = field(default_factory=dict)

    @property
    def is_equal(self) -> bool:
        """Return whether each checkout finds all that the other one has put into the cache."""
        return not (self.causes or self.followers or self.lonely)


def compare_logs(first: Path, second: Path) -> Comparison:
    """Compare two logs.

    Raises:
        LogError: One cannot be read.
    """
    ours, theirs = _summaries(first), _summaries(second)
    result = Comparison(len(ours.keys() & theirs.keys()))
    result.lonely = dict.fromkeys(sorted_names(ours.keys() - theirs.keys()), "first")
    result.lonely |= dict.fromkeys(sorted_names(theirs.keys() - ours.keys()), "second")
    differing = {name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]}
    before, after = ({each.name: each for each in read_log(log) if each.name in differing} for log in (first, second))
    makers = _Makers(before), _Makers(after)
    for name in sorted_names(differing):
        causes, followed = _differences(before[name], after[name], makers)
        if causes:
            result.causes[name] = causes
        else:
            result.followers[name] = followed
    return result


def sorted_names(names: set[Name]) -> list[Name]:
    """Return names in a fixed order."""
    return sorted(names, key=lambda name: (name.target, name.mnemonic, name.output))


def _summaries(log: Path) -> dict[Name, tuple[str, frozenset[tuple[str, str]]]]:
    return {action.name: (action.key, frozenset(_results(action).items())) for action in read_log(log)}


def _results(action: Action) -> dict[str, str]:
    """Return the outputs that other actions may have as inputs: a test's have times in them, and stay as they are."""
    return {} if action.name.mnemonic == _TEST else action.outputs


class _Makers:
    """Which action has made a file, by its path or by its content, which another path may name among runfiles."""

    def __init__(self, actions: Mapping[Name, Action]) -> None:
        self._paths = {path: name for name, action in actions.items() for path in _results(action)}
        self._contents = {digest: name for name, action in actions.items() for digest in _results(action).values()}

    def find(self, path: str, digest: str) -> Name | None:
        return self._paths.get(path) or self._contents.get(digest)


def _differences(first: Action, second: Action, makers: tuple[_Makers, _Makers]) -> tuple[list[str], list[str]]:
    """Return what two actions differ in by themselves, and through whose outputs."""
    causes = _command(first.command, second.command)
    causes += _values("environment variable", first.environment, second.environment)
    causes += _values("platform property", first.platform, second.platform)
    followed: list[str] = []
    own: list[str] = []
    for path, digests in _changed(first.inputs, second.inputs).items():
        maker = makers[0].find(path, digests[0]) or makers[1].find(path, digests[1])
        (followed if maker else own).append(f"{path}, made by {maker}" if maker else f"input {path}: {_shown(digests)}")
    causes += _few(own)
    if first.key == second.key:
        outputs = _changed(_results(first), _results(second))
        causes += _few([f"same key, other output {path}: {_shown(digests)}" for path, digests in outputs.items()])
    return causes, followed


def _command(first: tuple[str, ...], second: tuple[str, ...]) -> list[str]:
    if first == second:
        return []
    pairs = zip((*first, *[_ABSENT] * len(second)), (*second, *[_ABSENT] * len(first)), strict=False)
    place, (before, after) = next((place, pair) for place, pair in enumerate(pairs) if pair[0] != pair[1])
    return [f"word {place} of the command: {before} | {after}"]


def _values(what: str, first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    return [f"{what} {name}: {before} | {after}" for name, (before, after) in _changed(first, second).items()]


def _changed(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    pairs = {name: (first.get(name, _ABSENT), second.get(name, _ABSENT)) for name in sorted({*first, *second})}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _shown(digests: tuple[str, str]) -> str:
    return " | ".join(digest[:_DIGEST_LENGTH] for digest in digests)


def _few(lines: list[str]) -> list[str]:
    rest = len(lines) - _MOST_SHOWN
    return lines if rest <= 0 else [*lines[:_MOST_SHOWN], f"and {rest} more"]
