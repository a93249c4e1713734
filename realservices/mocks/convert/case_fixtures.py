"""How a method of unittest's TestCase gets a real object: by a fixture's name, or made in the loop of its own test.

IsolatedAsyncioTestCase runs each test in a loop of its own, in which no asynchronous fixture lives. There the test
connects itself, to the same database of its own, and unittest closes the connection in that loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from realservices.mocks.convert.test_plan import TestPlan

_DATABASE = 'self.request.getfixturevalue("cloned_database")'
_REDIS = 'self.request.getfixturevalue("isolated_redis_sync").url'
# Expression, method that closes it, import.
_MADE = {
    "isolated_database": (f"await {_DATABASE}.connect()", "close", ""),
    "database_pool": (f"await asyncpg.create_pool({_DATABASE}.url, min_size=1)", "close", "import asyncpg"),
    "isolated_psycopg_async": (
        f"await psycopg.AsyncConnection.connect({_DATABASE}.url)", "close", "import psycopg",
    ),
    "isolated_redis": (f"redis.asyncio.from_url({_REDIS}, decode_responses=True)", "aclose", "import redis.asyncio"),
    "isolated_engine_async": (
        f"create_async_engine({_DATABASE}.sqlalchemy_url(\"asyncpg\"))", "dispose",
        "from sqlalchemy.ext.asyncio import create_async_engine",
    ),
    "isolated_session_async": (
        "AsyncSession(isolated_engine_async, expire_on_commit=False)", "close",
        "from sqlalchemy.ext.asyncio import AsyncSession",
    ),
    "isolated_redis_bytes": (f"redis.asyncio.from_url({_REDIS})", "aclose", "import redis.asyncio"),
}  # fmt: skip
_ENGINE = "isolated_engine_async"
_SESSION = "isolated_session_async"
_BOUND = ("filesystem",)


def is_bound(fixture: str) -> bool:
    """Return whether a fixture's object lives in a loop."""
    return fixture in _MADE or fixture in _BOUND


def lines_for(fixtures: Iterable[str], plan: TestPlan, held: Mapping[str, str] | None = None) -> list[str]:
    """Return the lines by which a method of a TestCase gets what fixtures give.

    Args:
        fixtures: Their names.
        plan: Of the test.
        held: Attributes in which the class has them already. A session is taken from there: an object belongs to one.

    Raises:
        Unconvertible: An asynchronous one cannot be made in the test's own loop.
    """
    lines: list[str] = []
    session = (held or {}).get(_SESSION)
    for name in _with_engine(fixtures):
        if session and name in (_SESSION, _ENGINE):
            lines.append(f"{name} = {session}" + (".bind" if name == _ENGINE else ""))
            continue
        if name in _BOUND:
            raise Unconvertible(
                plan.reading.test.lineno, name, "asynchronous tests of unittest have a loop of their own",
                "make it a plain class whose tests take fixtures",
            )  # fmt: skip
        if name not in _MADE:
            lines.append(f'{name} = self.request.getfixturevalue("{name}")')
            continue
        expression, close, line = _MADE[name]
        lines += [f"{name} = {expression}", f"self.addAsyncCleanup({name}.{close})"]
        plan.imports |= {line} if line else set()
    return lines


def _with_engine(fixtures: Iterable[str]) -> list[str]:
    """Return the fixtures, the engine before the session that is made of it."""
    names = list(fixtures)
    if _SESSION not in names:
        return names
    return [_ENGINE, *(name for name in names if name != _ENGINE)]
