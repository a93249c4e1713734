"""Sqitch's plan: the changes in its order, each one's script in the directory ``deploy`` beside it.

A change that was reworked appears twice; the script of the earlier one is named after a tag between both.
Source: sqitch's manual, "sqitchplan" (grammar), and "sqitch-rework".
"""

from __future__ import annotations

import re

from realservices.contract.errors import TemplateError
from realservices.schema.layout_names import unknown_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.schema.script import Script

PLAN = "sqitch.plan"
_NAME = re.compile(r"[+]?\s*([^\s\[]+)")


def arrange_sqitch(files: list[Script]) -> list[Script]:
    """Return the scripts that ``sqitch deploy`` runs, in its order.

    They begin and end transactions themselves, as their templates do.

    Raises:
        TemplateError: There is no plan, or not every script of it.
    """
    plans = [file for file in files if file.name == PLAN]
    if len(plans) != 1:
        raise TemplateError(
            f"layout = 'sqitch' needs one {PLAN} among migrations, and there are {len(plans)}: name it first, then the "
            'scripts: ["sqitch.plan", "deploy/*.sql"]'
        )
    top = plans[0].shown.removesuffix(PLAN)
    scripts = {file.shown.removeprefix(top): file for file in files if file is not plans[0]}
    for name, file in scripts.items():
        if not name.startswith(("deploy/", "revert/", "verify/")):
            raise unknown_name("sqitch", file, f"scripts lie in deploy/ beside {plans[0].shown}")
    ordered: list[Script] = []
    for line, candidates in _changes(plans[0]):
        found = next((scripts[name] for name in candidates if name in scripts), None)
        if not found:
            raise TemplateError(
                f"{plans[0].shown}, line {line}: {top}{candidates[0]} is not among migrations; add it: "
                '["sqitch.plan", "deploy/*.sql"]'
            )
        ordered.append(found)
    return ordered


def _changes(plan: Script) -> list[tuple[int, list[str]]]:
    """Return each change's line in the plan, and the names that its script may have, the best one first."""
    changes: list[tuple[int, str, list[str]]] = []
    with open(plan.path, encoding="utf-8") as file:
        for number, full in enumerate(file, start=1):
            line = full.partition("#")[0].strip()
            if not line or line.startswith("%"):
                continue
            if line.startswith("@"):
                if changes:
                    changes[-1][2].append(line.split()[0])
                continue
            if line.startswith("-"):
                raise TemplateError(f"{plan.shown}, line {number}: {line!r} undoes a change: take both out")
            match = _NAME.match(line)
            assert match is not None
            changes.append((number, match[1], []))
    result = []
    for index, (number, name, _) in enumerate(changes):
        again = next((i for i in range(index + 1, len(changes)) if changes[i][1] == name), None)
        tags = [tag for _, _, own in reversed(changes[index:again]) for tag in own] if again else []
        result.append((number, [f"deploy/{name}{tag}.sql" for tag in tags] or [f"deploy/{name}.sql"]))
    return result
