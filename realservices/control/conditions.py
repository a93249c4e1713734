"""How services are, shown to people: a line for each, and below it what is wrong and what to do."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from realservices.control.console import shown_duration
from realservices.control.states import READY
from realservices.system.terminal_text import as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.control.console import Console

HEALTHY = "healthy"
# Who was asked and answers; and who says of itself, or of what it runs, that it serves.
_WELL = (HEALTHY, READY)


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """How a service is.

    Attributes:
        name: The service's name.
        state: ``healthy``, ``unhealthy`` (it does not answer as it should), ``failed`` (it has ended), ``stopped`` or
            ``paused`` (at a user's request), ``starting``, ``ready`` (its launcher says so), ``stale`` (the
            process that started it was killed), ``damaged`` (its discovery file cannot be read).
        url: Where it is, without password.
        detail: What is wrong. Empty: nothing.
        remedy: What to do about that.
        pid: Its process, 0: unknown.
        uptime_s: For how long it has served, None: unknown, or it does not serve.
        kind: Its kind.
        ports: Its ports by name.
        log: Path of its log.
    """

    name: str
    state: str
    url: str = ""
    detail: str = ""
    remedy: str = ""
    pid: int = 0
    uptime_s: float | None = None
    kind: str = ""
    ports: dict[str, int] = dataclasses.field(default_factory=dict)
    log: str = ""


def print_conditions(console: Console, conditions: Sequence[Condition]) -> None:
    """Print them, in columns."""
    names, urls = (max([0, *(len(text) for text in texts)]) for texts in (
        [as_text(each.name) for each in conditions], [_shown_url(each) for each in conditions]
    ))  # fmt: skip
    for each in conditions:
        mark = console.coloured("✓", "green") if each.state in _WELL else console.coloured("✗", "red")
        facts = [f"process {each.pid}"] if each.pid else []
        facts += [f"up {shown_duration(each.uptime_s)}"] if each.uptime_s is not None else []
        name, state = as_text(each.name), as_text(each.state)
        shown = f"{mark} {name:<{names}}  {_shown_url(each):<{urls}}  {state:<9}  {', '.join(facts)}"
        console.line(shown.rstrip())
        for text in (each.detail, f"→ {each.remedy}" if each.remedy else ""):
            console.paragraph(text, names + 4)


def _shown_url(condition: Condition) -> str:
    return as_text(condition.url) or "(no port)"
