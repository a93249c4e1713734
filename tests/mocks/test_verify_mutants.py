"""Small ways to break code: which there are, and where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from realservices.mocks.verify.mutants.mutant_finder import mutants_of
from realservices.mocks.verify.mutants.mutant_model import Change
from realservices.mocks.verify.mutants.sql_tokens import is_sql
from tests.scratch import ROOT


def changed(source: str) -> list[tuple[str, str]]:
    """Return each change of a source, and the lines that it makes."""
    content = source.encode()
    found = []
    for mutant in mutants_of("a.py", content):
        lines = [line[1:].strip() for line in mutant.diff(content).splitlines() if line.startswith("+")]
        found.append((mutant.change.value, "\n".join(lines)))
    return found


@pytest.mark.parametrize(
    ("source", "change", "line"),
    [
        ("f(x)", Change.STATEMENT_REMOVED, "pass"),
        ("x += 1", Change.STATEMENT_REMOVED, "pass"),
        ("del x", Change.STATEMENT_REMOVED, "pass"),
        ("self.x = y", Change.STATEMENT_REMOVED, "pass"),
        ("x[y] = z", Change.STATEMENT_REMOVED, "pass"),
        ("async def f():\n    await g()", Change.CALL_DROPPED, "pass"),
        ("async def f():\n    x = await g()", Change.CALL_DROPPED, "x = None"),
        ("async def f():\n    return await g()", Change.CALL_DROPPED, "return None"),
        ("async def f():\n    return await g()", Change.RETURN_DROPPED, "await g(); return None"),
        ("def f():\n    return x", Change.RETURN_DROPPED, "return None"),
        ("x = cursor.fetchone()", Change.CALL_DROPPED, "x = None"),
        ("session.commit()", Change.COMMIT_DROPPED, "pass"),
        ("async def f():\n    await connection.commit()", Change.COMMIT_DROPPED, "pass"),
        ("with c.transaction():\n    f()", Change.TRANSACTION_DROPPED, "if True:"),
        ("async def f():\n    async with c.begin():\n        pass", Change.TRANSACTION_DROPPED, "if True:"),
        ("if x:\n    f()", Change.CONDITION_NEGATED, "if not (x):"),
        ("while not x:\n    f()", Change.CONDITION_NEGATED, "while x:"),
        ("y = 'a' if x else 'b'", Change.CONDITION_NEGATED, "y = 'a' if not (x) else 'b'"),
        ("y = [a for a in x if a.ok]", Change.CONDITION_NEGATED, "y = [a for a in x if not (a.ok)]"),
        ("if x < y:\n    f()", Change.COMPARISON_CHANGED, "if x <= y:"),
        ("y = x == z", Change.COMPARISON_CHANGED, "y = x != z"),
        ("y = x is not None", Change.COMPARISON_CHANGED, "y = x is None"),
        ("y = x not in z", Change.COMPARISON_CHANGED, "y = x in z"),
        ("y = a < (  # b > c\n    d)", Change.COMPARISON_CHANGED, "y = a <= (  # b > c"),
        ("y = x and z", Change.OPERATOR_CHANGED, "y = x or z"),
        ("y = x + z", Change.OPERATOR_CHANGED, "y = x - z"),
        ("y = 60", Change.CONSTANT_CHANGED, "y = (60 + 1)"),
        ("y = True", Change.CONSTANT_CHANGED, "y = False"),
        ("y = 'a'", Change.CONSTANT_CHANGED, "y = 'changed-a'"),
        ("y = b''", Change.CONSTANT_CHANGED, "y = b'changed-'"),
        ("y = f'user:{x}'", Change.CONSTANT_CHANGED, "y = f'changed-user:{x}'"),
        ("def f(x=1):\n    pass", Change.CONSTANT_CHANGED, "def f(x=(1 + 1)):"),
        ("for x in y:\n    break", Change.LOOP_CHANGED, "continue"),
        ("raise KeyError(x)", Change.EXCEPTION_SWALLOWED, "pass"),
        ("try:\n    f()\nexcept KeyError:\n    g()\n    h()", Change.EXCEPTION_SWALLOWED, "pass"),
        ("try:\n    f()\nexcept KeyError as error:\n    g()", Change.EXCEPTION_UNHANDLED, "except () as error:"),
        ("try:\n    f()\nexcept:\n    g()", Change.EXCEPTION_UNHANDLED, "except ():"),
        ("redis.get(key)", Change.REDIS_KEY, 'redis.get(str(key) + ":changed")'),
        ("redis.set(key, x, ex=60)", Change.REDIS_TTL, "redis.set(key, x)"),
        ("redis.set(key, x, ex=60, nx=True)", Change.REDIS_CONDITION, "redis.set(key, x, ex=60)"),
        ("c.setex(key, ttl, x)", Change.REDIS_TTL, "c.setex(key, (ttl) * 2, x)"),
        ("y = select(User).where(User.id == x)", Change.SQL_WHERE, "y = select(User)"),
        ("y = q.order_by(User.id)", Change.SQL_ORDER, "y = q"),
        ("match x:\n    case 1:\n        f()", Change.STATEMENT_REMOVED, "pass"),
    ],
)  # fmt: skip
def test_code_is_broken_in_small_ways(source: str, change: Change, line: str) -> None:
    assert (change.value, line) in changed(source)


@pytest.mark.parametrize(
    ("sql", "change", "expected"),
    [
        ("SELECT id, email FROM users", Change.SQL_COLUMN, "SELECT x_id, email FROM users"),
        ("SELECT u.id FROM users u", Change.SQL_COLUMN, "SELECT u.x_id FROM users u"),
        ("INSERT INTO t (a, b) VALUES ($1, $2)", Change.SQL_COLUMN, "INSERT INTO t (x_a, b) VALUES ($1, $2)"),
        ("INSERT INTO t (a, b) VALUES ($1, $2)", Change.SQL_COLUMN, "INSERT INTO t (b, a) VALUES ($1, $2)"),
        ("UPDATE t SET a = $1", Change.SQL_COLUMN, "UPDATE t SET x_a = $1"),
        ("DELETE FROM t WHERE a = %s", Change.SQL_COLUMN, "DELETE FROM t WHERE x_a = %s"),
        ("DELETE FROM t WHERE a = %(a)s", Change.SQL_WHERE, "DELETE FROM t WHERE 1 = 1 OR a = %(a)s"),
        ("DELETE FROM t WHERE a = :a", Change.SQL_CONDITION, "DELETE FROM t WHERE a <> :a"),
        ("SELECT 1 FROM t WHERE a >= ? AND b", Change.SQL_CONDITION, "SELECT 1 FROM t WHERE a > ? AND b"),
        ("SELECT 1 FROM t WHERE a AND b", Change.SQL_CONDITION, "SELECT 1 FROM t WHERE a OR b"),
        ("SELECT 1 FROM t WHERE (a = 1)", Change.SQL_CONDITION, "SELECT 1 FROM t WHERE (a <> 1)"),
        ("SELECT 1 FROM t WHERE a IS NULL", Change.SQL_CONDITION, "SELECT 1 FROM t WHERE a IS NOT NULL"),
        ("SELECT 1 FROM t WHERE a IS NOT NULL", Change.SQL_CONDITION, "SELECT 1 FROM t WHERE a IS NULL"),
        ("SELECT 1 FROM t WHERE a IN (1)", Change.SQL_CONDITION, "SELECT 1 FROM t WHERE a NOT IN (1)"),
        ("SELECT 1 FROM t WHERE a NOT IN (1)", Change.SQL_CONDITION, "SELECT 1 FROM t WHERE a IN (1)"),
        ("SELECT 1 FROM a JOIN b ON a.x = b.x", Change.SQL_CONDITION, "SELECT 1 FROM a JOIN b ON a.x <> b.x"),
        ("SELECT 1 FROM a JOIN b ON a.x = b.x", Change.SQL_JOIN, "SELECT 1 FROM a LEFT JOIN b ON a.x = b.x"),
        ("SELECT 1 FROM a LEFT JOIN b ON a.x", Change.SQL_JOIN, "SELECT 1 FROM a INNER JOIN b ON a.x"),
        ("SELECT a FROM t ORDER BY a", Change.SQL_ORDER, "SELECT a FROM t ORDER BY a DESC"),
        ("SELECT a FROM t ORDER BY lower(a), b", Change.SQL_ORDER, "SELECT a FROM t ORDER BY lower(a) DESC , b"),
        ("SELECT a FROM t ORDER BY a DESC LIMIT 3", Change.SQL_ORDER, "SELECT a FROM t ORDER BY a ASC LIMIT 3"),
        ("SELECT a FROM t LIMIT 3", Change.SQL_LIMIT, "SELECT a FROM t "),
        ("select distinct a from t", Change.SQL_DISTINCT, "select  a from t"),
        ("INSERT INTO t (a) VALUES (1) RETURNING id", Change.SQL_RETURNING, "INSERT INTO t (a) VALUES (1) "),
        ("INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING", Change.SQL_CONFLICT, "INSERT INTO t (a) VALUES (1) "),
        (
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET n = 2 RETURNING a",
            Change.SQL_CONFLICT,
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO NOTHING RETURNING a",
        ),
        ("UPDATE t SET n = n + 1", Change.SQL_VALUE, "UPDATE t SET n = n - 1"),
        ("UPDATE t SET n = TRUE", Change.SQL_VALUE, "UPDATE t SET n = FALSE"),
        ("SELECT 1 FROM t WHERE a = 'b'", Change.SQL_VALUE, "SELECT 1 FROM t WHERE a = 'changed-b'"),
        (" WHERE a = {b} ", Change.SQL_WHERE, " WHERE 1 = 1 OR a = {b} "),
    ],
)  # fmt: skip
def test_sql_is_broken_in_its_own_ways(sql: str, change: Change, expected: str) -> None:
    assert (change.value, f'x = "{expected}"'.strip()) in changed(f'x = "{sql}"')


def test_sql_is_understood_in_several_pieces() -> None:
    found = changed('x = ("SELECT a FROM t "  # a comment\n     f"WHERE a = {b}\\n"\n     \'ORDER BY a\')')
    assert (Change.SQL_WHERE, 'f"WHERE 1 = 1 OR a = {b}\\n"') in found
    assert (Change.SQL_ORDER, "'ORDER BY a DESC')") in found


def test_an_edit_over_several_pieces_leaves_their_quotes() -> None:
    found = changed('x = "INSERT INTO t (a) VALUES (1) ON CONFLICT " "DO NOTHING"')
    assert (Change.SQL_CONFLICT, 'x = "INSERT INTO t (a) VALUES (1) " ""') in found


def test_sql_in_comments_and_quotes_is_no_sql() -> None:
    found = changed("x = '''SELECT 1 FROM t -- WHERE a = 1\nWHERE \"WHERE\" = $1 /* AND b */'''")
    assert sum(change == Change.SQL_WHERE for change, _ in found) == 1
    assert sum(change == Change.SQL_CONDITION for change, _ in found) == 1


def test_a_range_is_no_conjunction() -> None:
    found = changed('x = "SELECT 1 FROM t WHERE a BETWEEN 1 AND 2"')
    assert Change.SQL_CONDITION not in {change for change, _ in found}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT a FROM b", True), ("  select count(*) from b", True), ("SELECT now()", True), ("WITH a AS (SELECT 1)", True),
        ("insert into a values (1)", True), ("UPDATE a SET b = 1", True), ("DELETE FROM a", True), (" ORDER BY a", True),
        ("-- why\nSELECT a FROM b", True), ("AND a = 1", True),
        ("Select one", False), ("update your address", False), ("delete it", False), ("where is it", False),
        ("with care", False), ("", False), ("user:1", False), ("CREATE TABLE a (b int)", False), ("ORDER", False),
    ],
)  # fmt: skip
def test_a_text_is_sql_or_english(text: str, expected: bool) -> None:
    assert is_sql(text) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        'def f() -> None:\n    """Docs."""\n    ...',
        "import a\nfrom b import c\nglobal d",
        'log.info("a %s", 1)',
        'async def f():\n    await self.logger.warning("a")',
        "print(1)",
        'logger = logging.getLogger("a")',
        "x: int",
        "def f(x: 'int' = y) -> 'str':\n    pass",
        "if TYPE_CHECKING:\n    x = 1",
        'if __name__ == "__main__":\n    main()',
        "@decorated(1)\ndef f():\n    pass",
        "class A(B, c=C):\n    pass",
        '__all__ = ["a"]',
        "assert x == 1",
        "x = y",
        "f(1)  # pragma: no mutate",
        "def __repr__(self):\n    return 'a'",
        "T = TypeVar('T')",
        "def f():\n    return None",
        "for x in y:\n    pass",
        "try:\n    pass\nfinally:\n    pass",
    ],
)
def test_what_no_test_should_notice_is_not_broken(source: str) -> None:
    assert changed(source) == []


def test_what_an_exception_says_is_not_broken() -> None:
    assert changed('raise KeyError(f"no {x}", "a", 1)') == [(Change.EXCEPTION_SWALLOWED, "pass")]


def test_a_negation_and_its_comparison_are_one() -> None:
    assert changed("if x == y:\n    pass") == [(Change.CONDITION_NEGATED, "if not (x == y):")]


def test_lines_stay_where_they_are() -> None:
    content = b"f(\n    1,\n)\ng()\n"
    for mutant in mutants_of("a.py", content):
        assert mutant.source(content).count(b"\n") == content.count(b"\n")


def test_a_mutant_says_by_which_lines_it_is_reached() -> None:
    source = b"if (\n    a\n    and b\n):\n    f(\n        1\n    )\n"
    found = {(mutant.change, mutant.line): mutant.lines for mutant in mutants_of("a.py", source)}
    assert found[Change.OPERATOR_CHANGED, 3] == (1, 4)
    assert found[Change.CONSTANT_CHANGED, 6] == (5, 7)


@pytest.mark.parametrize("prefix", ["", "\ufeff", "# ä\r\n"])
def test_places_are_found_in_any_text_of_utf_8(prefix: str) -> None:
    source = f"{prefix}ä = 'ö' + f(1); ü = ß(2)\r\nx = 'é'\r\n".encode()
    for mutant in mutants_of("a.py", source):
        assert compile(mutant.source(source), "a", "exec")
    assert any(b"'changed-\xc3\xa9'" in mutant.source(source) for mutant in mutants_of("a.py", source))


@pytest.mark.parametrize("content", [b"def f(:\n", "# coding: latin-1\nx = 'ä'".encode("latin-1"), b"x = \0"])
def test_what_is_not_python_in_utf_8_is_an_error(content: bytes) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        mutants_of("a.py", content)


@pytest.mark.parametrize("path", sorted((ROOT / "realservices" / "isolation").glob("*.py")), ids=lambda path: path.name)
def test_all_mutants_of_real_code_parse_and_are_different(path: Path) -> None:
    content = path.read_bytes()
    found = mutants_of("a.py", content)
    texts = [mutant.source(content) for mutant in found]
    assert all(compile(text, "a", "exec") for text in texts)
    assert len({content, *texts}) == len(found) + 1
    assert [mutant.edits[0].start for mutant in found] == sorted(mutant.edits[0].start for mutant in found)
    assert found == mutants_of("a.py", content)
