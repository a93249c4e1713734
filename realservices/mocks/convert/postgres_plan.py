"""PostgreSQL: answers of a mock become rows, assertions on it become queries of what must be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.handles import Handle
from realservices.mocks.convert.postgres_answers import Answers
from realservices.mocks.convert.postgres_checks import plan_checks
from realservices.mocks.convert.postgres_shape import place
from realservices.mocks.convert.queries import queries_of

if TYPE_CHECKING:
    from realservices.mocks.convert.test_facts import Mock
    from realservices.mocks.convert.test_plan import TestPlan


def plan_postgres(mock: Mock, plan: TestPlan, handle: Handle | None = None) -> None:
    """Fill the plan of a test for one mock of a database.

    Args:
        mock: The mock.
        plan: What is filled.
        handle: Where the real object stands already: how rows are inserted.

    Raises:
        Unconvertible: What the mock answers, or is asked, has no counterpart.
    """
    queries = queries_of(plan.calls)
    needs_tables = not queries or any(query.statement.table for query in queries)
    if needs_tables and not plan.schema.tables:
        raise Unconvertible(
            mock.line, mock.name, "the project declares no tables",
            "declare the migrations in [tool.realservices] (`python -m realservices init`)",
        )  # fmt: skip
    plan.services.add("postgres")
    plan.handle = handle or place(mock, plan, queries)
    Answers(mock, plan, queries).add()
    if not plan.faults:
        plan_checks(mock, plan, queries, plan.handle)
