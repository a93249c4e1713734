import unittest
from unittest.mock import AsyncMock, MagicMock

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app import loans
from app.loans import Desk, Loan, Reader


@pytest.fixture
def session():
    return AsyncMock(spec=AsyncSession)


@pytest.fixture
def reader():
    return Reader(id=7, name="Ann")


@pytest.fixture
def borrowed(reader):
    return Loan(id=3, title="Emma", shelf="B2", reader_id=reader.id)


@pytest.mark.asyncio
async def test_a_loan_of_a_reader(session, reader):
    answer = MagicMock()
    answer.scalar_one_or_none.return_value = Loan(id=3, title="Emma", reader=reader)
    session.execute.return_value = answer
    assert (await loans.loan(session, 3, reader)).title == "Emma"


@pytest.mark.asyncio
async def test_loans_are_the_very_objects(session, reader):
    listed = [Loan(id=3, title="Emma", reader=reader), Loan(id=4, title="Persuasion", reader=reader)]
    answer = MagicMock()
    answer.scalars.return_value.all.return_value = listed
    session.execute.return_value = answer
    assert await loans.loans_of(session, reader) == listed


@pytest.mark.asyncio
async def test_what_the_code_stores_is_not_stored_before(session, reader):
    answer = MagicMock()
    answer.scalar_one_or_none.return_value = Loan(id=1, title="Emma", shelf="A1", reader_id=reader.id)
    session.execute.return_value = answer
    assert (await loans.lend(session, "Emma", reader)).title == "Emma"
    session.add.assert_called_once()


@pytest.mark.asyncio
async def test_what_a_fixture_has_from_another(session, borrowed):
    answer = MagicMock()
    answer.scalar_one_or_none.return_value = borrowed
    session.execute.return_value = answer
    assert (await loans.loan(session, 3, MagicMock(id=7))).shelf == "B2"


@pytest.mark.asyncio
async def test_a_desk_of_a_branch(session):
    answer = MagicMock()
    answer.scalar_one_or_none.return_value = Desk(id=2)
    session.execute.return_value = answer
    assert (await loans.desk(session, 2)).id == 2


@pytest.mark.asyncio
async def test_a_loan_of_the_test_is_kept(session, borrowed):
    await loans.keep(session, borrowed)
    session.add.assert_called_once_with(borrowed)


@pytest.mark.asyncio
async def test_a_loan_of_the_test_is_forgotten(session, borrowed):
    answer = MagicMock()
    answer.scalar_one_or_none.return_value = borrowed
    session.execute.return_value = answer
    await loans.forget(session, borrowed)
    session.delete.assert_called_once_with(borrowed)


class LoansTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.session = AsyncMock(spec=AsyncSession)
        self.reader = Reader(id=7, name="Ann", email="ann@example.com")

    async def test_loans(self):
        listed = [Loan(id=3, title="Emma", shelf="B2", reader=self.reader)]
        answer = MagicMock()
        answer.scalars.return_value.all.return_value = listed
        self.session.execute.return_value = answer
        self.assertEqual(await loans.loans_of(self.session, self.reader), listed)

    async def test_none(self):
        answer = MagicMock()
        answer.scalar_one_or_none.return_value = None
        self.session.execute.return_value = answer
        self.assertIsNone(await loans.loan(self.session, 3, self.reader))
