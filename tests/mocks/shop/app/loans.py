"""Who has borrowed what: mapped classes that refer to each other, by relationships too."""

import uuid

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Branch(Base):
    __tablename__ = "branches"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    town: Mapped[str] = mapped_column(String(50))


class Reader(Base):
    __tablename__ = "readers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    email: Mapped[str] = mapped_column(String(100), nullable=False)
    loans: Mapped[list["Loan"]] = relationship("Loan", back_populates="reader")


class Loan(Base):
    __tablename__ = "loans"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(50))
    shelf: Mapped[str] = mapped_column(String(10), nullable=False)
    reader_id: Mapped[int] = mapped_column(ForeignKey("readers.id"))
    branch_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("branches.id"))
    reader: Mapped["Reader"] = relationship("Reader", back_populates="loans")


class Desk(Base):
    __tablename__ = "desks"

    id: Mapped[int] = mapped_column(primary_key=True)
    branch_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("branches.id"))


async def loans_of(session, reader):
    found = await session.execute(select(Loan).filter_by(reader=reader).order_by(Loan.id))
    return found.scalars().all()


async def loan(session, number, reader):
    found = await session.execute(select(Loan).where(Loan.id == number, Loan.reader_id == reader.id))
    return found.scalar_one_or_none()


async def lend(session, title, reader):
    made = Loan(title=title, shelf="A1", reader=reader)
    session.add(made)
    await session.commit()
    return await loan(session, made.id, reader)


async def desk(session, number):
    found = await session.execute(select(Desk).where(Desk.id == number))
    return found.scalar_one_or_none()


async def open_desk(session, branch_id):
    session.add(Desk(branch_id=branch_id))
    await session.commit()


async def forget(session, loan):
    await session.delete(loan)
    await session.commit()


async def keep(session, loan):
    session.add(loan)
    await session.commit()
