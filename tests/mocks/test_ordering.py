"""ORDER BY: rows go in the other way round, and one that comes later goes in first; a mock in the wrong order is told."""

from __future__ import annotations

import pytest

from realservices.mocks.convert.ordering import later_value, order_of
from tests.mocks.converting import convert, converted

_LATER = "# Must come later."
_ACTIVE = """async def test_active():
    db = AsyncMock()
    db.fetch.return_value = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    assert await UserService(db).active() == ["a", "b"]
"""
_FIRST = """async def first(db, active):
    return await db.fetchrow("SELECT id, name FROM users WHERE is_active = $1 ORDER BY created_at DESC LIMIT 1", active)


async def test_first():
    db = AsyncMock()
    db.fetchrow.return_value = {"name": "Ann"}
    assert (await first(db, True))["name"] == "Ann"
"""


def test_rows_are_inserted_the_other_way_round() -> None:
    text = converted(_ACTIVE)
    assert text.index('2, "b"') < text.index('1, "a"')


def test_an_order_that_the_statement_does_not_give_is_told() -> None:
    result = convert(_ACTIVE.replace('"id": 1', '"id": 3'))
    assert [each.why for each in result.left] == ["the mock answers in another order than the statement's ORDER BY id"]
    assert result.left[0].what == "id: 3, 2"


def test_rows_without_the_ordered_column_stay_in_their_order() -> None:
    text = converted(_ACTIVE.replace('"id": 1, ', "").replace('"id": 2, ', ""))
    assert text.index('"a"') < text.index('"b"')


def test_tuples() -> None:
    text = converted(
        "def test_notes():\n    conn = MagicMock()\n"
        '    conn.cursor.return_value.__enter__.return_value.fetchall.return_value = [(1, "x"), (2, "y")]\n'
        '    assert notes.NoteStore(conn).by_author("ann") == [(1, "x"), (2, "y")]\n'
    )
    assert text.index('"y"') < text.index('"x"')


def test_a_row_that_comes_later_is_inserted_first() -> None:
    text = converted(_FIRST)
    (line,) = [line for line in text.splitlines() if _LATER in line]
    assert "'2026-01-01 00:00:00+00:00'" in line
    assert "True" in line
    assert text.index(_LATER) < text.index('"Ann"')
    assert "'2026-01-02 00:00:00+00'" in text


_AUTHORS = """def test_authors():
    session = MagicMock()
    session.scalars.return_value.all.return_value = [Author(name="dan"), Author(name="ann")]
    assert [author.name for author in books.authors_by_name(session)] == ["dan", "ann"]
"""


def test_objects_are_stored_the_other_way_round() -> None:
    text = converted(_AUTHORS)
    assert text.index('name="ann"') < text.index('name="dan"')


def test_objects_in_another_order_are_told() -> None:
    result = convert(_AUTHORS.replace("dan", "aaa"))
    assert [each.what for each in result.left] == ["name: aaa, ann"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(_FIRST.replace("ORDER BY created_at DESC ", ""), id="no order"),
        pytest.param(_FIRST.replace("created_at DESC", "name, id"), id="two columns"),
        pytest.param(_FIRST.replace("created_at DESC", "email"), id="a column of which no later value is known"),
        pytest.param(_FIRST.replace("WHERE is_active = $1", "WHERE email = $1").replace("True", '"a"'), id="only one row can be found"),
        pytest.param(_FIRST.replace("fetchrow", "fetch").replace('{"name": "Ann"}', '[{"name": "Ann"}]').replace("LIMIT 1", "").replace(')["name"]', ')[0]["name"]'),
                     id="all rows are given"),
    ],
)  # fmt: skip
def test_there_is_none_where_it_is_not_certain(body: str) -> None:
    assert _LATER not in converted(body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT a FROM t ORDER BY a", ("a", False)), ("SELECT a FROM t ORDER BY t.a DESC LIMIT 3", ("a", True)),
        ("SELECT a FROM t ORDER BY a, b", None), ("SELECT a FROM t ORDER BY lower(a)", None), ("SELECT a FROM t", None),
    ],
)  # fmt: skip
def test_the_column_of_an_order(text: str, expected: tuple[str, bool] | None) -> None:
    assert order_of(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("5", "4"), ("'2026-01-02'", "'2026-01-01 00:00:00'"), ("True", None), ("'a'", None), ("x", None)],
)
def test_a_later_value(value: str, expected: str | None) -> None:
    assert later_value(value, descends=True) == expected
