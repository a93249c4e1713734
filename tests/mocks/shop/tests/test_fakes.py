import fakeredis
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from app import books
from app.cache import Limiter
from app.models import Base

fake = fakeredis.FakeRedis(decode_responses=True)
memory = create_engine("sqlite://")
Session = sessionmaker(bind=memory)
Base.metadata.create_all(memory)


@pytest.fixture
def client():
    return fakeredis.FakeRedis(decode_responses=True)


@pytest.fixture
def engine():
    engine = create_engine("sqlite:///:memory:")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine):
    session = sessionmaker(bind=engine)()
    yield session
    session.close()


def test_limit(client):
    limiter = Limiter(client, limit=1)
    assert limiter.allow("ann")
    assert not limiter.allow("ann")


def test_authors(session):
    books.add_author(session, "Ann")
    assert books.count_authors(session) == 1


def test_it_is_remembered():
    fake.flushall()
    assert Limiter(fake, limit=1).allow("eve")
    assert fake.get("limit:eve") == "1"


def test_more_authors():
    with Session() as session:
        books.add_author(session, "Eve")
        assert books.count_authors(session) == 1
