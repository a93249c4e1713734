"""A second row that the code must not find: where it is inserted, and where the table stays as it is."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

import pytest

from realservices.mocks.convert.column_values import other_value
from realservices.mocks.convert.database_schema import Column, Schema, Table, make_schema
from realservices.mocks.convert.file_conversion import FileConverter
from realservices.mocks.scan import Project
from tests.mocks.converting import HEAD, SHOP, converted
from tests.mocks.shop_schema import shop_schema

_MARK = "# Must not be found."
_GET = """async def test_get():
    db = AsyncMock()
    db.fetchrow.return_value = {"id": 1, "name": "Ann"}
    assert (await UserService(db).get_user(1))["name"] == "Ann"
"""


def _second(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if _MARK in line]


def _with_schema(schema: Schema, body: str) -> list[str]:
    result = FileConverter(Project(SHOP), schema).convert(SHOP / "tests" / "test_one.py", HEAD + body)
    assert not result.left
    return _second(result.after)


def test_it_comes_before_the_wanted_row_and_has_other_values() -> None:
    text = converted(_GET)
    (line,) = _second(text)
    assert '(id, email, name) VALUES ($1, $2, $3)", 1001, "user-1001@example.com", "name-1001")' in line
    assert text.index(_MARK) < text.index('"Ann"')


def test_a_boolean_that_is_searched_is_the_other_one() -> None:
    body = _GET.replace("fetchrow", "fetch").replace('{"id": 1, "name": "Ann"}', '[{"id": 1, "name": "Ann"}]')
    (line,) = _second(converted(body.replace('get_user(1))["name"] == "Ann"', 'active()) == ["Ann"]')))
    assert line.endswith(f'1001, "user-1001@example.com", "name-1001", False)  {_MARK}')


def test_a_searched_foreign_key_has_a_parent_of_its_own() -> None:
    text = converted("""async def test_orders():
    pool = MagicMock()
    pool.acquire.return_value.__aenter__.return_value.fetch = AsyncMock(return_value=[{"id": 1, "quantity": 2, "state": "new"}])
    with patch("app.orders.pool", pool):
        assert [each["id"] for each in await orders.orders_of(4)] == [1]
""")
    (line,) = _second(text)
    before = text[: text.index(line)]
    assert 'INSERT INTO users (id, email, name) VALUES ($1, $2, $3)", 1001,' in before
    assert "INSERT INTO orders (id, user_id, " in line


def test_a_table_without_a_wanted_row_has_one() -> None:
    body = _GET.replace('{"id": 1, "name": "Ann"}', "None").replace(
        '(await UserService(db).get_user(1))["name"] == "Ann"', "await UserService(db).get_user(1) is None"
    )
    (line,) = _second(converted(body))
    assert "1001, " in line


def test_nothing_is_changed_though_there_is_another_row() -> None:
    body = 'async def test_kept():\n    db = AsyncMock()\n    db.execute.return_value = "DELETE 0"\n    assert not await UserService(db).remove(5)\n'
    (line,) = _second(converted(body))
    assert "1001, " in line


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            "async def test_count():\n    db = AsyncMock()\n    db.fetchval.return_value = 2\n"
            "    assert await UserService(db).count() == 2\n",
            id="the statement has no WHERE",
        ),
        pytest.param(
            'async def test_taken():\n    db = AsyncMock()\n    db.fetchrow.return_value = {"id": 1}\n'
            '    with pytest.raises(ValueError):\n        await UserService(db).register("a@example.com", "A")\n'
            "    db.execute.assert_not_called()\n",
            id="an assertion counts all rows",
        ),
        pytest.param(
            _GET.replace("async def test_get():", '@pytest.mark.parametrize("key", [1, 1001])\nasync def test_get(key):')
            .replace('"id": 1', '"id": key').replace("get_user(1)", "get_user(key)"),
            id="the value is not known",
        ),
        pytest.param(
            "async def test_exists():\n    db = AsyncMock()\n    db.fetchval.return_value = True\n"
            '    assert await UserService(db).exists("a")\n',
            id="the WHERE is not plain",
        ),
        pytest.param(_GET.replace("1", "1001"), id="the value is the second row's own"),
    ],
)  # fmt: skip
def test_the_table_stays_as_it_is(body: str) -> None:
    assert _second(converted(body)) == []


def test_a_column_that_must_be_unlike_but_cannot_be_made_so() -> None:
    schema = shop_schema()
    schema.tables["users"].unlike.append("EXCLUDE USING gist (created_at WITH =)")
    assert _with_schema(schema, _GET) == []


def test_a_key_with_a_check_is_not_guessed() -> None:
    schema = shop_schema()
    schema.tables["users"].checks.append("CHECK ((id < 1000))")
    assert _with_schema(schema, _GET) == []


def test_unique_indexes_are_told_from_checks() -> None:
    row: dict[str, Any] = {"tbl": "t", "namespace": "public", "columns": [], "parent": None, "parent_namespace": None,
           "parent_columns": []}  # fmt: skip
    column: dict[str, Any] = {"tbl": "t", "namespace": "public", "name": "a", "type": "text", "length": None, "required": True,
              "has_default": False, "is_generated": False, "is_always": False, "sequence": None, "labels": []}  # fmt: skip
    keys = [row | {"kind": kind, "text": kind} for kind in "icx"]
    table = make_schema([column], keys).tables["t"]
    assert (table.unlike, table.checks) == (["i", "x"], ["c"])


@pytest.mark.parametrize(
    ("kind", "used", "expected"),
    [
        ("integer", {1}, 1001), ("integer", {1001}, None), ("text", set(), "a-1001"), ("boolean", {True}, False),
        ("boolean", {True, False}, None), ("date", set(), None),
        ("uuid", set(), "00000000-0000-0000-0000-0000000003e9"),
    ],
)  # fmt: skip
def test_other_values(kind: str, used: set[object], expected: object) -> None:
    found = other_value(Column(name="a", type=kind), Table("t"), 1001, used)
    assert (None if found is None else ast.literal_eval(found)) == expected


def test_other_labels() -> None:
    column = Column(name="a", type="state", labels=("new", "paid"))
    assert other_value(column, Table("t"), 1001, {"new"}) == "'paid'"
    assert other_value(replace(column, labels=("new",)), Table("t"), 1001, {"new"}) is None
    listed = Table("t", checks=["CHECK ((a = ANY (ARRAY['x'::text, 'y'::text])))"])
    assert other_value(Column(name="a", type="text"), listed, 1001, {"x"}) == "'y'"
