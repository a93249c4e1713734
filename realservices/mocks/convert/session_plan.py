"""SQLAlchemy: a mocked session becomes a real one; the objects that it answered with are stored first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.handles import SESSION, SESSION_ASYNC, Handle
from realservices.mocks.convert.mock_paths import CALLED
from realservices.mocks.convert.postgres_plan import plan_postgres
from realservices.mocks.convert.queries import queries_of
from realservices.mocks.convert.session_checks import SessionChecks
from realservices.mocks.convert.stored_objects import StoredObjects

if TYPE_CHECKING:
    from realservices.mocks.convert.test_facts import Mock
    from realservices.mocks.convert.test_plan import TestPlan

_WORDS = {
    "query",
    "add",
    "add_all",
    "refresh",
    "scalars",
    "scalar_one_or_none",
    "scalar_one",
    "flush",
    "merge",
    "expunge",
}
_FACTORIES = (
    "Session", "SessionLocal", "sessionmaker", "session_factory", "get_session", "async_session",
    "AsyncSessionLocal", "session_scope", "session_maker", "async_session_maker", "AsyncSession",
)  # fmt: skip
_MAPPERS = ("sqlalchemy", "sqlmodel")
_DRIVERS = ("asyncpg", "psycopg", "psycopg2")


def is_session(mock: Mock, plan: TestPlan) -> bool:
    """Return whether a mock of a database is one of a session of SQLAlchemy."""
    package = mock.spec.partition(".")[0]
    if package in (*_DRIVERS, *_MAPPERS):
        return package in _MAPPERS
    paths = [*(fact.path for fact in mock.facts), *(check.path for check in mock.checks)]
    words = {word for path in paths for word in path}
    if words & {"fetchrow", "fetchval", "cursor", "acquire"}:
        return False
    if any(call.statement is not None and "$1" in call.statement.text for call in plan.calls):
        return False  # A session knows no such placeholders.
    imported = plan.imports_of_code()
    return bool(words & _WORDS) or any(name.startswith(_MAPPERS) for name in imported)


def plan_session(mock: Mock, plan: TestPlan) -> None:
    """Fill the plan of a test for one mock of a session.

    Raises:
        Unconvertible: What the mock answers, or is asked, has no counterpart.
    """
    plan.services.add("postgres")
    handle = _place(mock, plan)
    if queries_of(plan.calls):
        plan_postgres(mock, plan, handle)
        return
    objects = StoredObjects(mock, plan, handle)
    objects.add()
    if not plan.faults:
        SessionChecks(mock, plan, handle, objects).add()
    objects.finish()


def _place(mock: Mock, plan: TestPlan) -> Handle:
    is_async = mock.is_async or any(
        call.is_awaited and call.method in ("execute", "commit", "scalar", "scalars", "get") for call in plan.calls
    )
    if is_async and not plan.is_async:
        raise Unconvertible(
            mock.line, mock.name, "the code is asynchronous and the test is not", "make the test a coroutine"
        )
    suffix = "_async" if is_async else ""
    name = plan.take(f"isolated_session{suffix}")
    handle = Handle(SESSION_ASYNC if is_async else SESSION, name)
    heads = {path[:1] for path in (*(fact.path for fact in mock.facts), *(check.path for check in mock.checks)) if path}
    last = mock.target.rpartition(".")[2]
    if mock.target:
        plan.check_seam(mock, gives_client=(CALLED,) in heads or last in _FACTORIES)
    if (CALLED,) in heads or last in _FACTORIES:
        engine = plan.take(f"isolated_engine{suffix}")
        maker = f"async_sessionmaker({engine}, expire_on_commit=False)" if is_async else f"sessionmaker({engine})"
        plan.imports.add(
            "from sqlalchemy.ext.asyncio import async_sessionmaker"
            if is_async
            else "from sqlalchemy.orm import sessionmaker"
        )
        if mock.target:
            plan.replace_target(mock.target, maker)
        plan.put(mock, maker)
    elif mock.target and last in ("engine", "async_engine"):
        raise Unconvertible(
            mock.line, mock.target, "an engine is replaced", f"put isolated_engine{suffix} there by monkeypatch"
        )
    elif mock.target:
        plan.replace_target(mock.target, name)
        plan.put(mock, name)
    else:
        plan.put(mock, name)
    return handle
