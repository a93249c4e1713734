"""Fakes at the top of a file: who names them takes a fixture, and they go when nobody does."""

from __future__ import annotations

from pathlib import Path

import pytest

from realservices.mocks.convert.file_conversion import FileConverter
from realservices.mocks.scan import Project
from tests.mocks.converting import convert, converted
from tests.mocks.shop_schema import shop_schema

_ENGINE = """from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from app.models import Base

engine = create_engine("sqlite:///:memory:")
Session = sessionmaker(bind=engine)
Base.metadata.create_all(engine)


"""
_TEST = """def test_authors(session):
    books.add_author(session, "Ann")
    assert books.count_authors(session) == 1
"""
_FIXTURE = "@pytest.fixture\ndef session():\n    session = Session()\n    yield session\n    session.close()\n\n\n"


def test_an_engine_with_its_sessions() -> None:
    text = converted(_ENGINE + _FIXTURE + _TEST)
    assert (
        text
        == """@pytest.fixture
def session(isolated_engine):
    Base.metadata.create_all(isolated_engine)
    session = sessionmaker(bind=isolated_engine)()
    yield session
    session.close()


@pytest.mark.requires_postgres
def test_authors(session):
    books.add_author(session, "Ann")
    assert books.count_authors(session) == 1
"""
    )


def test_a_client() -> None:
    text = converted(
        "import fakeredis\n\nclient = fakeredis.FakeRedis(decode_responses=True)\n\n\n"
        'def test_limit():\n    client.flushall()\n    assert Limiter(client).allow("ann")\n'
    )
    assert text.endswith('def test_limit(isolated_redis_sync):\n    assert Limiter(isolated_redis_sync).allow("ann")\n')
    assert "fakeredis" not in text


def test_a_name_of_its_own_in_a_test_is_another_one() -> None:
    result = convert(_ENGINE + "def test_it():\n    engine = 5\n    assert engine == 5\n")
    assert (result.converted, result.left) == ([], [])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            _ENGINE + "def make():\n    return Session()\n\n\n" + _FIXTURE + _TEST,
            "make names it, which is neither a test nor a fixture",
        ),
        (_ENGINE + _FIXTURE.replace("fixture", 'fixture(scope="module")') + _TEST, "the fixture's scope is module"),
        (
            _ENGINE.replace('memory:"', 'memory:", isolation_level=None') + _FIXTURE + _TEST,
            "it is made with isolation_level",
        ),
        (
            "import fakeredis\n\nserver = fakeredis.FakeServer()\n\n\ndef test_it():\n    assert server\n",
            "a server of fakes",
        ),
    ],
)
def test_it_is_left_with_the_reason(body: str, why: str) -> None:
    result = convert(body)
    assert result.error == ""
    assert [why in each.why for each in result.left] == [True], result.left
    assert result.after == result.before


def test_one_of_a_conftest_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "conftest.py").write_text(f"import pytest\n{_ENGINE}{_FIXTURE}")
    result = FileConverter(Project(tmp_path), shop_schema()).convert(tmp_path / "test_it.py", _TEST)
    assert [each.why for each in result.left] == ["conftest.py makes a fake of postgres for all tests"]
    assert result.left[0].remedy == "use the isolated fixture in its place, in conftest.py"
