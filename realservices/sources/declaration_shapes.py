"""What a project may declare, as shapes (contract/shapes.py), and what kinds have in common of that.

The words are those of the Bazel rules.
"""

from __future__ import annotations

import re
from typing import Any

from realservices.contract.shapes import NAME, PORT, POSITIVE, VARIABLE, Only, Rule, is_text

_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def _is_pattern(value: Any) -> bool:
    if not is_text(value) or value.strip("./") == "" or value.startswith("/"):
        return False
    return all(part == "**" or "**" not in part for part in value.split("/"))


def is_command(value: Any) -> bool:
    """Return whether this is a program and its arguments."""
    return isinstance(value, list) and all(map(is_text, value)) and value[:1] not in ([], [""])


def _are_migrators(value: Any) -> bool:
    return isinstance(value, list) and all(
        bool(_FUNCTION.fullmatch(each)) if is_text(each) else is_command(each) for each in value
    )


FILES = [
    Rule(
        "a path or pattern that starts from the project's directory, with '**' for any folders of its own", _is_pattern
    )
]
"""Of patterns of files."""
SETTINGS = {NAME: (str, float, bool)}
"""Of a server."""
_OWN_VARIABLE = Rule(
    "the name of an environment variable that does not begin with REALSERVICES_",
    lambda value: VARIABLE.accepts(value) and not value.startswith("REALSERVICES_"),
)
MIGRATE: dict[str, Any] = {
    "migrate?": Rule(
        'a list of commands, such as ["{python}", "-m", "alembic", "upgrade", "head"], or functions, such as '
        '"package.module:function"',
        _are_migrators,
    ),
    "migrate_env?": {VARIABLE: (str, float, bool)},
    "migrate_timeout_s?": POSITIVE,
    "inputs?": FILES,
}
"""Of kinds that have migrators."""
EVERY = {"fixed_ports?": {str: PORT}}
"""Keys of every kind."""

PROJECT = Only(
    {
        "services?": {str: object},
        "env?": {_OWN_VARIABLE: (str, float, bool)},
        "isolation?": frozenset({"transaction", "database"}),
        "warm?": bool,
        "warm_idle_s?": Rule("a number of seconds above 0 (`warm = false` keeps nothing)", POSITIVE.accepts),
    }
)
