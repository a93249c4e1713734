"""A second object of a mapped class that the code must not find: where it is stored, and where the table stays as it is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from realservices.mocks.convert import orm_models
from realservices.mocks.convert.orm_models import model_of
from realservices.mocks.convert.project_modules import Definition, Project
from realservices.mocks.scan import Project as Files
from tests.mocks.converting import SHOP, converted

_MARK = "# Must not be found."
_AUTHOR = """def test_author():
    session = MagicMock()
    session.execute.return_value.scalar_one_or_none.return_value = Author(id=2, name="Bob")
    assert books.author_by_name(session, "Bob").id == 2
"""


def _second(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if _MARK in line]


def test_it_is_stored_before_the_wanted_one() -> None:
    text = converted(_AUTHOR)
    assert _second(text) == [f'isolated_session.add(Author(id=1001, name="name-1001"))  {_MARK}']
    assert text.index(_MARK) < text.index("Author(id=2")


def test_texts_have_no_more_characters_than_the_column() -> None:
    (line,) = _second(converted(_AUTHOR.replace('name="Bob")', 'name="Bob", country="DE")')))
    assert "country=" in line
    assert "country-" not in line


def test_a_searched_reference_has_a_parent_of_its_own() -> None:
    text = converted("""def test_titles():
    session = MagicMock()
    session.scalars.return_value.all.return_value = [Book(title="A", isbn="1")]
    assert books.titles(session, 4) == ["A"]
""")
    (line,) = _second(text)
    assert "author_id=1001" in line
    assert "Author(id=1001, " in text[: text.index(line)]


def test_a_class_without_a_wanted_object_has_one() -> None:
    text = converted(
        "def test_none():\n    session = MagicMock()\n"
        "    session.query.return_value.filter.return_value.first.return_value = None\n"
        "    assert books.get_author(session, 1) is None\n"
    )
    assert _second(text) == [f'isolated_session.add(Author(id=1001, name="name-1001"))  {_MARK}']
    assert "    isolated_session.commit()\n" in text


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            "def test_count():\n    session = MagicMock()\n    session.query.return_value.count.return_value = 2\n"
            "    assert books.count_authors(session) == 2\n",
            id="all are counted",
        ),
        pytest.param(
            'from sqlalchemy.orm import Session\n\n\ndef test_delete():\n    session = MagicMock(spec=Session)\n    session.get.return_value = Author(id=3, name="Dan")\n'
            "    assert books.delete_author(session, 3)\n    session.delete.assert_called_once()\n",
            id="an assertion counts all rows",
        ),
        pytest.param(
            '@pytest.mark.parametrize("name", ["a"])\n'
            + _AUTHOR.replace("test_author()", "test_author(name)").replace('"Bob"', "name"),
            id="the value is not known",
        ),
        pytest.param(_AUTHOR.replace('"Bob"', '"name-1001"'), id="the value is the second object's own"),
    ],
)
def test_the_table_stays_as_it_is(body: str) -> None:
    assert _second(converted(body)) == []


def test_a_key_that_is_no_argument_of_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    read = orm_models._attribute

    def without_init(name: str, annotation: ast.expr | None, value: ast.expr | None) -> orm_models.Attribute | None:
        found = read(name, annotation, value)
        if found is not None and name == "id":
            found.is_settable = False
        return found

    monkeypatch.setattr(orm_models, "_attribute", without_init)
    assert _second(converted(_AUTHOR)) == []


def test_what_a_class_says_of_constraints_and_lengths() -> None:
    project = Project(Files(SHOP), Path("tests/test_one.py"), {})
    module = project.module("app.models")
    assert module is not None
    (node,) = ast.parse("""class User(Base):
    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("name", "code"),)
    name: Mapped[str] = mapped_column(String(20), unique=True)
    code: Mapped[str] = mapped_column(String(CODE_LENGTH))
    notes: Mapped[str] = mapped_column(Text)
    title: str = Field(max_length=9)
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
""").body
    assert isinstance(node, ast.ClassDef)
    model = model_of(Definition(module, node), project)
    assert model is not None
    assert model.has_arguments
    assert [name for name, each in model.attributes.items() if not each.is_settable] == ["id"]
    assert {name: (each.length, each.is_unique) for name, each in model.attributes.items()} == {
        "name": (20, True), "code": (1, False), "notes": (None, False), "title": (9, False),
        "id": (None, False),
    }  # fmt: skip
