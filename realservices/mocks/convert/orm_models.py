"""Mapped classes of SQLAlchemy as their source says: table, columns, what an object must be given."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.mocks.convert.column_values import filler
from realservices.mocks.convert.database_schema import Column, Table
from realservices.mocks.convert.project_modules import full_name

if TYPE_CHECKING:
    from realservices.mocks.convert.project_modules import Definition, Module, Project

_DEEPEST = 5
_MAKERS = ("mapped_column", "Column", "Field")
TYPES = {
    "int": "integer", "Integer": "integer", "BigInteger": "bigint", "SmallInteger": "smallint", "str": "text",
    "String": "text", "Text": "text", "Unicode": "text", "bool": "boolean", "Boolean": "boolean",
    "float": "double precision", "Float": "double precision", "Numeric": "numeric", "Decimal": "numeric",
    "JSON": "json", "JSONB": "jsonb",
}  # fmt: skip
_MADE_UP = {
    "datetime": "datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)",
    "DateTime": "datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)", "date": "datetime.date(2026, 1, 1)",
    "Date": "datetime.date(2026, 1, 1)", "dict": "{}", "list": "[]", "JSON": "{}", "JSONB": "{}",
    "bytes": 'b""', "LargeBinary": 'b""',
}  # fmt: skip


@dataclass(slots=True)
class Attribute:
    """A mapped attribute: its type's name, whether an object must have it, and what it refers to.

    One that is not settable is no argument of the class (`init=False`). `length` is what a text may have;
    1 where that cannot be told.
    """

    name: str
    type: str
    is_required: bool
    is_key: bool = False
    refers_to: str = ""
    is_unique: bool = False
    is_settable: bool = True
    length: int | None = None


@dataclass(slots=True)
class Model:
    """A mapped class.

    Attributes:
        name: Of the class.
        module: Where it is imported from.
        table: Its `__tablename__`.
        attributes: By name.
        has_arguments: It has `__table_args__`, which may hold constraints.
    """

    name: str
    module: str
    table: str
    attributes: dict[str, Attribute] = field(default_factory=dict)
    has_arguments: bool = False

    @property
    def import_line(self) -> str:
        """The import that a test needs for it."""
        return f"from {self.module} import {self.name}"

    def filler(self, name: str, number: int) -> str:
        """Return a value that a required attribute accepts."""
        attribute = self.attributes[name]
        if attribute.type in ("UUID", "Uuid"):
            return f"uuid.UUID(int={number})"
        if attribute.type in _MADE_UP:
            return _MADE_UP[attribute.type]
        column = Column(name=name, type=TYPES.get(attribute.type, "text"))
        return filler(column, Table(self.table), number)


def model_of(definition: Definition | None, project: Project) -> Model | None:
    """Return a class as a mapped one, with what it has from its bases; None where it is none."""
    found = _read(definition, project, 0)
    return found if found is not None and found.table else None


def _read(definition: Definition | None, project: Project, depth: int) -> Model | None:
    if definition is None or not isinstance(definition.node, ast.ClassDef) or depth > _DEEPEST:
        return None
    found = Model(definition.node.name, definition.module.name, "")
    for base in definition.node.bases:
        name = full_name(base, definition.module.imports)
        parent = project.resolve(name) or project.resolve(f"{definition.module.name}.{name}")
        if (inherited := _read(parent, project, depth + 1)) is not None:
            found.attributes |= inherited.attributes
            found.has_arguments |= inherited.has_arguments
    for node in definition.node.body:
        found.has_arguments |= "__table_args__" in ast.unparse(node)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name == "__tablename__" and isinstance(node.value, ast.Constant):
                found.table = str(node.value.value)
            elif (attribute := _attribute(name, None, node.value)) is not None:
                found.attributes[name] = attribute
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            attribute = _attribute(node.target.id, node.annotation, node.value)
            if attribute is not None:
                found.attributes[node.target.id] = attribute
    return found


def models_beside(module: Module, project: Project) -> list[Model]:
    """Return the mapped classes that a module defines or imports."""
    found = [project.resolve(f"{module.name}.{name}") for name in module.definitions]
    found += [project.resolve(origin) for origin in module.imports.values()]
    package = module.name.rpartition(".")[0]
    for path in sorted(module.path.parent.glob("*.py")) if package else ():
        beside = project.module(f"{package}.{path.stem}")
        found += [project.resolve(f"{beside.name}.{name}") for name in beside.definitions] if beside is not None else []
    return [model for each in found if (model := model_of(each, project)) is not None]


def _attribute(name: str, annotation: ast.expr | None, value: ast.expr | None) -> Attribute | None:
    call = value if isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in _MAKERS else None
    mapped = (
        annotation
        if annotation is not None and ast.unparse(annotation).startswith(("Mapped[", "orm.Mapped["))
        else None
    )
    if call is None and mapped is None:
        return None
    words = {word.arg: word.value for word in call.keywords} if call else {}
    arguments = [ast.unparse(each) for each in call.args] if call else []
    annotated = ast.unparse(mapped.slice) if isinstance(mapped, ast.Subscript) else ""
    is_relation = annotated[:1].isupper() and annotated not in TYPES
    if mapped is not None and call is None and (is_relation or isinstance(value, ast.Call)):
        return None  # `relationship(…)`, and whatever else is no column of its own.
    is_optional = "None" in annotated or "Optional" in annotated
    nullable = words.get("nullable")
    is_key = _is_true(words.get("primary_key"))
    stated = isinstance(nullable, ast.Constant)
    is_nullable = bool(nullable.value) if isinstance(nullable, ast.Constant) else (is_optional or mapped is None)
    has_default = any(word in words for word in ("default", "server_default", "default_factory", "insert_default"))
    del stated
    kind = next(
        (
            each.split("(")[0].rpartition(".")[2]
            for each in arguments
            if not each.startswith(("'", '"')) and "ForeignKey" not in each
        ),
        "",
    )
    refers = next((each for each in arguments if "ForeignKey" in each), "")
    target = refers.split("'")[1] if "'" in refers else ""
    kind = kind or annotated.replace("Optional[", "").rstrip("]").split(" |")[0].rpartition(".")[2]
    return Attribute(
        name, kind, not is_nullable and not has_default and not is_key, is_key, target,
        is_unique=_is_true(words.get("unique")), is_settable=not _is_false(words.get("init")),
        length=_length(arguments, words),
    )  # fmt: skip


def _length(arguments: list[str], words: dict[str | None, ast.expr]) -> int | None:
    """Return how long a text may be, None for any length, 1 where that cannot be told."""
    given = next(
        (each.partition("(")[2].rstrip(")") for each in arguments if re.match(r"\w*String\(|Unicode\(", each)), ""
    )
    if "max_length" in words:
        given = ast.unparse(words["max_length"])
    number = given.removeprefix("length=")
    return (int(number) if number.isdecimal() else 1) if given else None


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True
