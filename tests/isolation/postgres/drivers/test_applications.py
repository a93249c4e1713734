"""Code as applications have it: a session for each request, by which handlers commit, fail and roll back."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_COPIES = pytest.mark.parametrize("copy", range(2))


class _Base(DeclarativeBase):
    pass


class User(_Base):
    __tablename__ = "app_user"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    created: Mapped[Any] = mapped_column(sqlalchemy.DateTime(timezone=True), server_default=sqlalchemy.func.now())


@pytest.fixture(scope="module", autouse=True)
def _tables(cloned_database_module: Any) -> None:
    engine = sqlalchemy.create_engine(cloned_database_module.url_for("postgresql+psycopg"))
    _Base.metadata.create_all(engine)
    engine.dispose()


# As with FastAPI: a dependency that yields a session for each request


class AsyncApplication:
    def __init__(self, engine: AsyncEngine) -> None:
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        async with self._sessions() as session:
            yield session

    async def sign_up(self, email: str) -> tuple[int, Any]:
        async with self.session() as session:
            user = User(email=email)
            session.add(user)
            try:
                await session.commit()
            except IntegrityError:
                await session.rollback()
                return 409, await session.scalar(select(User.id).where(User.email == email))
            return 201, user.id


@_COPIES
async def test_requests_of_an_asynchronous_application(
    isolated_engine_async: AsyncEngine, isolated_session_async: AsyncSession, copy: int
) -> None:
    application = AsyncApplication(isolated_engine_async)
    assert await application.sign_up("ada@example.com") == (201, 1)
    assert await application.sign_up("ada@example.com") == (409, 1)
    assert await application.sign_up("bob@example.com") == (201, 3)
    users = (await isolated_session_async.scalars(select(User).order_by(User.id))).all()
    assert [user.email for user in users] == ["ada@example.com", "bob@example.com"]
    assert users[0].created < users[1].created


@_COPIES
async def test_objects_may_be_read_after_a_commit(isolated_session_async: AsyncSession, copy: int) -> None:
    user = User(email="ada@example.com")
    isolated_session_async.add(user)
    await isolated_session_async.commit()
    assert (user.id, user.email) == (1, "ada@example.com")


# As with Flask: a session for each request, which a teardown closes


class Application:
    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self._sessions = sessionmaker(engine)

    @contextlib.contextmanager
    def request(self) -> Iterator[Session]:
        session = self._sessions()
        try:
            yield session
        finally:
            session.close()

    def sign_up(self, email: str) -> tuple[int, Any]:
        with self.request() as session:
            user = User(email=email)
            session.add(user)
            try:
                session.commit()
            except IntegrityError:
                session.rollback()
                return 409, session.scalar(select(User.id).where(User.email == email))
            return 201, user.id


@_COPIES
@pytest.mark.parametrize(
    "driver", [pytest.param(name, marks=pytest.mark.realservices(driver=name)) for name in ("psycopg", "psycopg2")]
)
def test_requests_of_a_blocking_application(
    isolated_engine: sqlalchemy.Engine, isolated_session: Session, driver: str, copy: int
) -> None:
    application = Application(isolated_engine)
    assert application.sign_up("ada@example.com") == (201, 1)
    assert application.sign_up("ada@example.com") == (409, 1)
    isolated_session.add(User(email="bob@example.com"))
    isolated_session.commit()
    assert application.sign_up("bob@example.com") == (409, 3)
    with pytest.raises(IntegrityError):
        isolated_session.execute(sqlalchemy.insert(User).values(email="ada@example.com"))
    isolated_session.rollback()
    assert [user.email for user in isolated_session.scalars(select(User))] == ["ada@example.com", "bob@example.com"]


@_COPIES
def test_a_test_may_nest_transactions(isolated_session: Session, copy: int) -> None:
    isolated_session.add(User(email="ada@example.com"))
    nested = isolated_session.begin_nested()
    with pytest.raises(IntegrityError):
        isolated_session.execute(sqlalchemy.insert(User).values(email="ada@example.com"))
    nested.rollback()
    isolated_session.commit()
    assert isolated_session.scalars(select(User.email)).all() == ["ada@example.com"]
