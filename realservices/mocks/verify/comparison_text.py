"""A comparison as text for people, and as JSON (docs/mocks.md)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from realservices.mocks.verify.mutant_comparison import Result, Sight, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.verify.mutant_comparison import Compared, Comparison, Look, Pair
    from realservices.mocks.verify.runs import Outcome

_FEW = 10
_MEANING = {
    Result.LOST: "lost: the old test notices it, and the new one does not",
    Result.GAINED: "gained: only the new test notices it",
    Result.NEITHER: "neither notices it",
    Result.KEPT: "kept: both notice it",
}


def text_of(comparison: Comparison, *, is_long: bool) -> Iterator[str]:
    """Yield the lines for people.

    Args:
        comparison: What was found.
        is_long: With every mutant, and not only those that matter.
    """
    yield f"{comparison.test}, and its old version {comparison.old}"
    if comparison.failing:
        yield f"✗ {comparison.failing}"
    yield ""
    yield from _tests(comparison.pairs)
    if not comparison.failing:
        yield from _lines(comparison)
        yield from _table(comparison)
        for result in Result if is_long else (Result.GAINED, Result.LOST):
            yield from _listed(
                comparison, result, len(comparison.mutants) if is_long or result is Result.LOST else _FEW
            )
    for note in comparison.notes:
        yield f"note: {note}"
    yield from _conclusion(comparison)


def json_of(comparison: Comparison) -> dict[str, Any]:
    """Return it for programs."""
    counts = Counter(each.result for each in comparison.mutants)
    return {
        "test": comparison.test,
        "old": comparison.old,
        "verdict": comparison.verdict.value,
        "failing": comparison.failing,
        "tests": [_json_of_pair(pair) for pair in comparison.pairs],
        "lines": {
            path: {"old": sorted(old), "new": sorted(new)} for path, (old, new) in sorted(comparison.lines.items())
        },
        "counts": {result.value: counts[result] for result in Result},
        "mutants": [_json_of_mutant(each) for each in comparison.mutants],
        "found": comparison.found,
        "not_tried": comparison.found - len(comparison.mutants),
        "seconds": round(comparison.seconds, 3),
        "mutants_per_s": round(comparison.mutants_per_s, 2),
        "notes": list(comparison.notes),
    }


def _tests(pairs: tuple[Pair, ...]) -> Iterator[str]:
    width = max((len(pair.name) for pair in pairs), default=4)
    yield f"{'test':{width}}  {'old':^24}  {'new':^24}"
    for pair in pairs:
        old, new = (_shown(side, lines) for side, lines in zip((pair.old, pair.new), pair.lines, strict=True))
        yield f"{pair.name:{width}}  {old:24}  {new}".rstrip()


def _shown(outcome: Outcome | None, lines: int) -> str:
    if outcome is None:
        return "-"
    return f"{outcome.outcome:7} {outcome.seconds:6.2f} s {lines:3} l."


def _lines(comparison: Comparison) -> Iterator[str]:
    old, new = (sum(len(lines[side]) for lines in comparison.lines.values()) for side in range(2))
    yield ""
    yield f"lines of the code under test that run: old {old}, new {new}"
    for path, (before, after) in sorted(comparison.lines.items()):
        if lost := sorted(before - after):
            yield f"  only the old test runs {path}:{','.join(map(str, lost))}"


def _table(comparison: Comparison) -> Iterator[str]:
    counts = comparison.counts()
    width = max(len(path) for path in (*counts, "broken code"))
    yield ""
    yield f"{'broken code':{width}}  tried   kept  gained  lost  neither"
    total = Counter[Result]()
    for path, counted in counts.items():
        total.update(counted)
        yield _row(path, counted, width)
    if len(counts) > 1:
        yield _row("all", total, width)


def _row(name: str, counted: Counter[Result], width: int) -> str:
    kept, gained, lost, neither = (
        counted[result] for result in (Result.KEPT, Result.GAINED, Result.LOST, Result.NEITHER)
    )
    return f"{name:{width}}  {counted.total():5}  {kept:5}  {gained:6}  {lost:4}  {neither:7}"


def _listed(comparison: Comparison, result: Result, limit: int) -> Iterator[str]:
    found = comparison.of(result)
    if not found:
        return
    yield ""
    yield _MEANING[result]
    for each in found[:limit]:
        yield f"  {each.mutant.path}:{each.mutant.line}  {each.mutant.change}{_remark(each)}"
        yield from (f"      {line}" for line in each.diff.splitlines())
    if len(found) > limit:
        yield f"  and {len(found) - limit} more; --all lists them"


def _remark(each: Compared) -> str:
    noticing = [f"{name}: {look.by}" for name, look in (("old", each.old), ("new", each.new)) if look.by]
    if each.new.sight is Sight.NOT_RUN:
        noticing.append("new: does not run the line")
    if Sight.NOT_APPLIED in (each.old.sight, each.new.sight):
        noticing.append("the changed file was imported before the tests")
    return f"  ({'; '.join(noticing)})" if noticing else ""


def _conclusion(comparison: Comparison) -> Iterator[str]:
    yield ""
    if comparison.failing:
        yield f"✗ {comparison.test} is not done: mend it first; nothing was broken"
        return
    left = comparison.found - len(comparison.mutants)
    rate = f"{len(comparison.mutants)} mutants in {comparison.seconds:.1f} s, {comparison.mutants_per_s:.1f} a second"
    yield rate + (f"; {left} of {comparison.found} were not tried (--max-mutants, --time-limit)" if left else "")
    lost = len(comparison.of(Result.LOST))
    if comparison.verdict is Verdict.LOST:
        yield f"✗ {comparison.test} is not done: it notices less than the old test, {lost} lost"
    else:
        gained = len(comparison.of(Result.GAINED))
        yield f"✓ {comparison.test} notices all that the old test notices, and {gained} more"


def _json_of_pair(pair: Pair) -> dict[str, Any]:
    sides = zip(("old", "new"), (pair.old, pair.new), pair.lines, strict=True)
    return {"name": pair.name} | {
        name: outcome
        and {
            "outcome": outcome.outcome,
            "seconds": round(outcome.seconds, 4),
            "reason": outcome.reason,
            "lines": lines,
        }
        for name, outcome, lines in sides
    }


def _json_of_mutant(each: Compared) -> dict[str, Any]:
    return {
        "path": each.mutant.path,
        "line": each.mutant.line,
        "change": each.mutant.change.value,
        "diff": each.diff,
        "result": each.result.value,
        "old": _json_of_look(each.old),
        "new": _json_of_look(each.new),
    }


def _json_of_look(look: Look) -> dict[str, Any]:
    return {"sight": look.sight.value, "by": look.by, "seconds": round(look.seconds, 4)}
