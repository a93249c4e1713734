"""Rows that real tables accept."""

from __future__ import annotations

import pytest

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.row_plan import RowPlan
from tests.mocks.shop_schema import shop_schema


@pytest.fixture
def plan() -> RowPlan:
    return RowPlan(shop_schema())


def test_parents_come_first_and_required_columns_are_filled(plan: RowPlan) -> None:
    plan.add(plan.schema.tables["orders"], {"user_id": "4"}, 1)
    statements = [(each.sql.split(" (")[0], each.arguments) for each in plan.inserts()]
    assert statements == [
        ("INSERT INTO users", ("4", "'user-1@example.com'", "'name-1'")),
        ("INSERT INTO products", ("1", "'sku-1'", "'title-1'", "1", "1")),
        ("INSERT INTO orders", ("4", "1", "1")),
    ]


def test_a_row_that_is_told_twice_is_one(plan: RowPlan) -> None:
    users = plan.schema.tables["users"]
    plan.add(users, {"id": "1", "name": "'Ann'"}, 1)
    plan.add(users, {"id": "1", "email": "'a@example.com'"}, 2)
    assert [each.arguments for each in plan.inserts()] == [("1", "'Ann'", "'a@example.com'")]


def test_an_identity_column_takes_a_value(plan: RowPlan) -> None:
    plan.add(plan.schema.tables["notes"], {"id": "3"}, 1)
    assert plan.inserts()[0].sql == "INSERT INTO notes (id, author, body) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3)"


def test_times_and_documents_are_written_as_the_driver_wants_them(plan: RowPlan) -> None:
    plan.add(plan.schema.tables["users"], {"created_at": "'2026-01-02'", "name": "'A'", "email": "'a'"}, 1)
    plan.add(
        plan.schema.tables["products"], {"tags": "['a']", "sku": "'s'", "title": "'t'", "price": "1", "stock": "0"}, 1
    )
    first, second = plan.inserts()
    assert "'2026-01-02'" in first.sql
    assert second.arguments[0] == "'[\"a\"]'"


@pytest.mark.parametrize(
    ("table", "values", "why"),
    [
        (
            "users",
            {"age": "1"},
            "with a column 'age', which the table users does not have: it has id, email, name, is_active, created_at",
        ),
        ("users", {"id": "'x'"}, "users.id does not accept that: its type is integer"),
        ("users", {"name": "None"}, "users.name does not accept that: it is NOT NULL"),
        ("products", {"sku": "'0123456789abc'"}, "products.sku does not accept that: it holds 12 characters"),
        ("orders", {"state": "'lost'"}, "orders.state does not accept that: the type has new, paid, sent"),
        ("users", {"is_active": "1"}, "users.is_active does not accept that: its type is boolean"),
    ],
)
def test_what_a_table_does_not_accept(plan: RowPlan, table: str, values: dict[str, str], why: str) -> None:
    with pytest.raises(Unconvertible) as refused:
        plan.add(plan.schema.tables[table], values, 7)
    assert refused.value.line == 7
    assert why in refused.value.why
