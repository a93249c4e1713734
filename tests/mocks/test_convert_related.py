"""Objects that refer to each other: by relationships, by keys, by fixtures; those that the code stores itself."""

from __future__ import annotations

from tests.mocks.converting import convert, converted

_HEAD = """from sqlalchemy.ext.asyncio import AsyncSession

from app import loans
from app.loans import Desk, Loan, Reader


@pytest.fixture
def reader():
    return Reader(id=7, name="Ann")


@pytest.fixture
def borrowed(reader):
    return Loan(id=3, title="Emma", shelf="B2", reader_id=reader.id)


"""


def test_an_object_of_a_relationship_is_completed_and_stored() -> None:
    text = converted(
        _HEAD
        + """async def test_loan(reader):
    session = AsyncMock(spec=AsyncSession)
    session.execute.return_value = MagicMock()
    session.execute.return_value.scalar_one_or_none.return_value = Loan(id=3, title="Emma", reader=reader)
    assert (await loans.loan(session, 3, reader)).title == "Emma"
"""
    )
    assert (
        '    reader.email = "user-1@example.com"\n    isolated_session_async.add(reader)\n    isolated_session_async.add('
        'Loan(id=3, title="Emma", reader=reader, reader_id=reader.id, shelf="shelf-1"))\n'
    ) in text
    assert "loans=" not in text  # A relationship is no column.
    assert text.count("create_all") == 1


def test_the_objects_of_a_list_are_stored_themselves() -> None:
    text = converted(
        _HEAD
        + """async def test_loans(reader):
    session = AsyncMock(spec=AsyncSession)
    listed = [Loan(id=3, title="Emma", shelf="B2", reader=reader), Loan(id=4, title="Persuasion", shelf="B2", reader=reader)]
    answer = MagicMock()
    answer.scalars.return_value.all.return_value = listed
    session.execute.return_value = answer
    assert await loans.loans_of(session, reader) == listed
"""
    )
    first, second = text.index(".add(listed[1])"), text.index(".add(listed[0])")
    assert first < second  # The other way round than they are asked for.
    assert ".add(Loan(" not in text


def test_what_the_code_stores_itself_is_not_stored_before() -> None:
    text = converted(
        _HEAD
        + """async def test_lend(reader):
    session = AsyncMock(spec=AsyncSession)
    answer = MagicMock()
    answer.scalar_one_or_none.return_value = Loan(id=1, title="Emma", shelf="A1", reader_id=reader.id)
    session.execute.return_value = answer
    assert (await loans.lend(session, "Emma", reader)).title == "Emma"
    session.add.assert_called_once()
"""
    )
    assert "isolated_session_async.add(reader)\n" in text
    assert ".add(Loan(" not in text
    assert '"SELECT count(*) FROM loans WHERE title = $1 AND shelf = $2", "Emma", "A1") == 1' in text


def test_a_fixture_that_another_one_asks_for_is_asked_for() -> None:
    text = converted(
        _HEAD
        + """async def test_loan(borrowed):
    session = AsyncMock(spec=AsyncSession)
    session.execute.return_value = MagicMock()
    session.execute.return_value.scalar_one_or_none.return_value = borrowed
    assert (await loans.loan(session, 3, MagicMock(id=7))).shelf == "B2"
"""
    )
    assert "async def test_loan(borrowed, isolated_session_async, isolated_engine_async, reader):" in text
    assert "    isolated_session_async.add(Reader(id=reader.id, " in text


def test_a_key_that_is_a_uuid_gets_one() -> None:
    text = converted(
        _HEAD
        + """async def test_desk():
    session = AsyncMock(spec=AsyncSession)
    session.execute.return_value = MagicMock()
    session.execute.return_value.scalar_one_or_none.return_value = Desk(id=2)
    assert (await loans.desk(session, 2)).id == 2
"""
    )
    assert '.add(Branch(id=uuid.UUID(int=1), town="town-1"))' in text
    assert ".add(Desk(id=2, branch_id=uuid.UUID(int=1)))" in text


def test_a_reference_that_is_another_each_time_is_left() -> None:
    result = convert(
        _HEAD
        + """async def test_open():
    session = AsyncMock(spec=AsyncSession)
    await loans.open_desk(session, uuid4())
    session.add.assert_called_once()
"""
    )
    assert [(each.what, "is another one each time" in each.why) for each in result.left] == [
        ("branch_id=uuid4()", True)
    ]
    assert result.after == result.before


def test_an_object_of_a_class_that_the_test_makes_up_is_left() -> None:
    result = convert(
        _HEAD
        + """async def test_forget():
    session = AsyncMock(spec=AsyncSession)
    old = type("Loan", (), {"id": 3})()
    await loans.forget(session, old)
    session.delete.assert_called_once()
"""
    )
    assert ["no mapped class is given to the session" in each.why for each in result.left] == [True]
    assert result.after == result.before


def test_a_test_case_has_a_session_in_the_loop_of_its_test() -> None:
    text = converted(
        _HEAD
        + """import unittest


class LoansTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.session = AsyncMock(spec=AsyncSession)
        self.reader = Reader(id=7, name="Ann")

    async def test_loans(self):
        listed = [Loan(id=3, title="Emma", shelf="B2", reader=self.reader)]
        answer = MagicMock()
        answer.scalars.return_value.all.return_value = listed
        self.session.execute.return_value = answer
        self.assertEqual(await loans.loans_of(self.session, self.reader), listed)
"""
    )
    made = 'create_async_engine(self.request.getfixturevalue("cloned_database").sqlalchemy_url("asyncpg"))'
    assert f"    async def asyncSetUp(self):\n        isolated_engine_async = {made}\n" in text
    assert "        self.addAsyncCleanup(isolated_engine_async.dispose)\n" in text
    # An object belongs to one session: the test's is that of the set-up.
    assert "        isolated_engine_async = self.session.bind\n        isolated_session_async = self.session\n" in text
    assert text.count("AsyncSession(isolated_engine_async, expire_on_commit=False)") == 1


def test_an_object_of_the_test_that_the_code_stores_is_looked_for() -> None:
    text = converted(
        _HEAD
        + """async def test_keep(borrowed):
    session = AsyncMock(spec=AsyncSession)
    await loans.keep(session, borrowed)
    session.add.assert_called_once_with(borrowed)
"""
    )
    assert '    isolated_session_async.add(Reader(id=reader.id, name="name-1", email="user-1@example.com"))\n' in text
    assert (
        '"SELECT count(*) FROM loans WHERE id = $1 AND title = $2 AND shelf = $3 AND reader_id = $4", 3, "Emma"' in text
    )


def test_an_object_of_the_test_that_the_code_deletes_is_gone() -> None:
    text = converted(
        _HEAD
        + """async def test_forget(borrowed):
    session = AsyncMock(spec=AsyncSession)
    session.execute.return_value = MagicMock()
    session.execute.return_value.scalar_one_or_none.return_value = borrowed
    await loans.forget(session, borrowed)
    session.delete.assert_called_once()
"""
    )
    assert "    isolated_session_async.add(borrowed)\n" in text
    assert '    assert await isolated_database.fetchval("SELECT count(*) FROM loans") == 0\n' in text


def test_a_session_without_a_name_is_the_real_one() -> None:
    text = converted(
        _HEAD
        + """async def test_open():
    await loans.open_desk(session=AsyncMock(spec=AsyncSession), branch_id=None)
"""
    )
    assert "await loans.open_desk(session=isolated_session_async, branch_id=None)" in text
    assert "AsyncMock" not in text.partition("async def test_open")[2]


def test_a_mock_without_a_name_that_is_told_something_is_left() -> None:
    body = "async def test_loan(reader):\n    await loans.loan(AsyncMock(spec=AsyncSession, name='db'), 3, reader)\n"
    result = convert(_HEAD + body)
    assert ["a mock without a name is handed over" in each.why for each in result.left] == [True]
    assert result.after == result.before
