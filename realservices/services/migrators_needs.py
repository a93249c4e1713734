"""What a failed migrator says it lacks: variables, for it has nothing of the user's shell, or an address's driver."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = r"([A-Za-z][A-Za-z0-9_]*)"
_WORDS = (
    # `os.environ["A"]`
    re.compile(r"KeyError: '([A-Z][A-Z0-9_]*)'"),
    # pydantic-settings, one paragraph for each
    re.compile(rf"^\s*{_NAME}\n\s+Field required \[type=missing", re.MULTILINE),
    # django-environ, python-decouple
    re.compile(rf"Set the {_NAME} environment variable"),
    re.compile(rf"UndefinedValueError: {_NAME} not found"),
    # Programs in other languages.
    re.compile(rf"(?i:environment variable) [`'\"]?{_NAME}[`'\"]? (?i:is |was )?(?i:not|missing|required|unset|must)"),
)


# What SQLAlchemy says where an address names no driver, or one that is not for its engine.
_DRIVERS = (
    ("No module named 'psycopg2'", "psycopg"),
    ("The asyncio extension requires an async driver", "asyncpg"),
)


def what_is_lacking(words: str, environment: Mapping[str, str]) -> str:
    """Return what to do about something that a program says it lacks, "" if it says nothing of that.

    Args:
        words: What it has said.
        environment: What it had.
    """
    for said, driver in _DRIVERS:
        if said in words:
            return (
                "SQLAlchemy takes psycopg2 for postgresql://. Give the variable that the program reads an address with "
                f'the driver that is installed, migrate_env = {{ DATABASE_URL = "$(url {driver})" }} for instance'
            )
    return _variables(words, environment)


def _variables(words: str, environment: Mapping[str, str]) -> str:
    had = {name.upper() for name in environment}
    found = dict.fromkeys(name for pattern in _WORDS for name in pattern.findall(words) if name.upper() not in had)
    if not found:
        return ""
    return (
        f"It lacks {', '.join(found)}: a migrator has nothing of your shell's environment, so that the same inputs "
        "make the same schema. Name the variable in migrate_env, with a value for tests"
    )
