"""What a mock of a database is a mock of: a connection, a cursor, a pool, or a function that gives one of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.handles import (
    ASYNCPG,
    ASYNCPG_SYNC,
    PSYCOPG,
    PSYCOPG2,
    PSYCOPG_ASYNC,
    Handle,
)
from realservices.mocks.convert.mock_paths import CALLED, ENTERED

if TYPE_CHECKING:
    from realservices.mocks.convert.queries import Query
    from realservices.mocks.convert.test_facts import Mock
    from realservices.mocks.convert.test_plan import TestPlan

_ASYNCPG_WORDS = {"fetchrow", "fetchval", "fetch", "acquire", "release", "transaction"}
_PSYCOPG_WORDS = {"fetchone", "fetchall", "fetchmany", "cursor", "rowcount", "commit", "rollback"}
_LEAVES = {
    "fetchrow", "fetchval", "fetch", "execute", "executemany", "fetchone", "fetchall", "fetchmany", "rowcount",
    "commit", "rollback", "close", "transaction", "description",
}  # fmt: skip
_CONNECTS = {"connect": "connect", "create_pool": "create_pool"}


def place(mock: Mock, plan: TestPlan, queries: list[Query]) -> Handle:
    """Put the real object where the mock was, and return what rows are inserted by.

    Raises:
        Unconvertible: The mock is of something else.
    """
    driver = _driver(mock, plan, queries)
    shapes = _shapes(mock)
    if mock.target:
        return _place_target(mock, plan, driver, shapes)
    return _place_argument(mock, plan, driver, shapes)


def _words(mock: Mock) -> set[str]:
    paths = [*(fact.path for fact in mock.facts), *(check.path for check in mock.checks)]
    return {word for path in paths for word in path}


def _shapes(mock: Mock) -> set[tuple[str, ...]]:
    """Return what stands before the words of a connection or cursor, in all that is said of the mock."""
    found = set()
    for path in (*(fact.path for fact in mock.facts), *(check.path for check in mock.checks)):
        leaf = next((at for at, word in enumerate(path) if word in _LEAVES), None)
        if leaf is not None:
            found.add(path[:leaf])
    return found


def _driver(mock: Mock, plan: TestPlan, queries: list[Query]) -> str:
    package = mock.spec.partition(".")[0]
    if package == "asyncpg":
        return ASYNCPG if plan.is_async else ASYNCPG_SYNC
    if package == "psycopg2":
        return PSYCOPG2
    words = _words(mock) | {query.method for query in queries}
    imported = plan.imports_of_code() | set(mock.target.split("."))
    if words & _ASYNCPG_WORDS or ("asyncpg" in imported and not words & _PSYCOPG_WORDS):
        return ASYNCPG if plan.is_async else ASYNCPG_SYNC
    if "psycopg2" in imported:
        return PSYCOPG2
    is_awaited = any(query.is_awaited for query in queries) or mock.is_async
    if "psycopg" in imported or words & _PSYCOPG_WORDS:
        return PSYCOPG_ASYNC if is_awaited and plan.is_async else PSYCOPG
    if is_awaited:
        return ASYNCPG if plan.is_async else ASYNCPG_SYNC
    raise Unconvertible(
        mock.line, mock.name, "it cannot be told which driver this stands for: neither asyncpg nor psycopg is imported",
        "convert by hand",
    )  # fmt: skip


def _uses_pool(mock: Mock, plan: TestPlan) -> bool:
    return "acquire" in _words(mock) or any(call.method == "acquire" for call in plan.calls)


def _place_argument(mock: Mock, plan: TestPlan, driver: str, shapes: set[tuple[str, ...]]) -> Handle:
    if driver in (ASYNCPG, ASYNCPG_SYNC):
        if driver == ASYNCPG_SYNC:
            raise Unconvertible(mock.line, mock.name, "a blocking test of asyncpg", "make the test asynchronous")
        if _uses_pool(mock, plan):
            return _pool(mock, plan)
        if any(shape[:1] == (CALLED,) for shape in shapes):
            raise Unconvertible(
                mock.line, mock.name, "the mock is a function that gives a connection", "hand over a function"
            )
        name = plan.take("isolated_database")
        plan.put(mock, name)
        return Handle(ASYNCPG, name)
    fixture = {PSYCOPG: "isolated_psycopg", PSYCOPG_ASYNC: "isolated_psycopg_async", PSYCOPG2: "isolated_psycopg2"}[
        driver
    ]
    plan.take(fixture)
    has_cursor = any("cursor" in shape for shape in shapes) or any(call.method == "cursor" for call in plan.calls)
    is_cursor = not has_cursor and _words(mock) & {"fetchone", "fetchall", "fetchmany"} and () in shapes
    if is_cursor:
        plan.setup.append(f"cursor = {fixture}.cursor()")
    plan.put(mock, "cursor" if is_cursor else fixture)
    if driver == PSYCOPG2:
        if not is_cursor:
            plan.setup.append("cursor = isolated_psycopg2.cursor()")
        return Handle(PSYCOPG2, "cursor")
    return Handle(driver, fixture)


def _pool(mock: Mock, plan: TestPlan) -> Handle:
    plan.pools = True
    plan.imports.add("import asyncpg")
    name = plan.take("database_pool")
    plan.put(mock, name)
    return Handle(ASYNCPG, name)


def _place_target(mock: Mock, plan: TestPlan, driver: str, shapes: set[tuple[str, ...]]) -> Handle:
    connects = _CONNECTS.get(mock.target.rpartition(".")[2])
    owner = mock.target.rpartition(".")[0].rpartition(".")[2]
    if connects and owner in ("asyncpg", "psycopg", "psycopg2", "AsyncConnection", "Connection"):
        return _place_connect(mock, plan, connects, owner)
    if driver == ASYNCPG_SYNC:
        raise Unconvertible(mock.line, mock.name, "a blocking test of asyncpg", "make the test asynchronous")
    plan.check_seam(mock, gives_client=any(shape[:1] == (CALLED,) for shape in shapes))
    heads = {shape[:2] if shape[:1] == (CALLED,) else () for shape in shapes}
    if _uses_pool(mock, plan):
        plan.pools = True
        plan.imports.add("import asyncpg")
        real = Handle(ASYNCPG, plan.take("database_pool"))
    elif driver == ASYNCPG:
        real = Handle(ASYNCPG, plan.take("isolated_database"))
    else:
        fixture = {PSYCOPG: "isolated_psycopg", PSYCOPG_ASYNC: "isolated_psycopg_async"}.get(
            driver, "isolated_psycopg2"
        )
        real = Handle(driver, plan.take(fixture))
    name = real.name
    called = [call for call in plan.calls if call.receiver == mock.target.rpartition(".")[2]]
    if any(head[:1] == (CALLED,) for head in heads):
        given = f"contextlib.nullcontext({name})" if any(head == (CALLED, ENTERED) for head in heads) else name
        if given != name:
            plan.imports.add("import contextlib")
        if mock.is_async and given == name:
            raise Unconvertible(
                mock.line, mock.target, "an asynchronous function gives the connection", "replace the function by hand"
            )
        plan.replace_target(mock.target, f"lambda *_, **__: {given}")
    else:
        del called
        plan.replace_target(mock.target, name)
    if driver == PSYCOPG2:
        plan.setup.append("cursor = isolated_psycopg2.cursor()")
        real = Handle(PSYCOPG2, "cursor")
    plan.put(mock, name)
    return real


def _place_connect(mock: Mock, plan: TestPlan, function: str, owner: str) -> Handle:
    """Have the code's own `connect` reach the test's database, whatever address it is given."""
    plan.take("cloned_database")
    package = {"AsyncConnection": "psycopg", "Connection": "psycopg"}.get(owner, owner)
    plan.imports.add(f"import {package}")
    origin = f"{package}.{owner}" if owner in ("AsyncConnection", "Connection") else package
    connection = (
        "database = await cloned_database.connect()" if plan.is_async else "database = cloned_database.connect_sync()"
    )
    plan.setup += [connection, f"{function} = {origin}.{function}"]
    size = ", min_size=1" if function == "create_pool" else ""
    plan.replace_target(mock.target, f"lambda *_, **__: {function}(cloned_database.url{size})")
    plan.put(mock, f"{origin}.{function}")
    return Handle(ASYNCPG if plan.is_async else ASYNCPG_SYNC, "database")
