"""Second objects: as second_rows.py, for mapped classes that the code searches by comparisons with constants."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from realservices.mocks.convert.column_values import other_value
from realservices.mocks.convert.database_schema import Column, Table
from realservices.mocks.convert.expressions import free_name
from realservices.mocks.convert.orm_models import TYPES, models_beside
from realservices.mocks.convert.row_plan import quoted
from realservices.mocks.convert.second_rows import NUMBER, unique_columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.mocks.convert.orm_models import Attribute, Model
    from realservices.mocks.convert.service_calls import ServiceCall
    from realservices.mocks.convert.test_plan import TestPlan

_WRITES = {"add", "add_all", "refresh", "commit", "flush", "merge"}
_SENDS = {"execute", "scalars", "scalar", "exec", "stream", "stream_scalars", "query"}
# In a statement of anything else, other rows may be found.
_PLAIN = {
    "query", "select", "execute", "scalars", "scalar", "first", "one", "one_or_none", "scalar_one",
    "scalar_one_or_none", "all", "where", "filter", "filter_by", "order_by", "limit", "offset", "get", "delete",
}  # fmt: skip


def second_object(
    model: Model, first: dict[str, str], plan: TestPlan, calls: list[ServiceCall]
) -> dict[str, str] | None:
    """Return the attributes of an object that the code must not find; None where that is not certain.

    Args:
        model: The class.
        first: Attributes of the object that is wanted.
        plan: With the assertions that have been made.
        calls: What the code does.
    """
    searched = _searched(model, calls)
    table = plan.schema.table(model.table)
    if not searched or _is_counted(model, plan) or (table is None and model.has_arguments):
        return None
    found: dict[str, str] = {}
    for attribute in model.attributes.values():
        name, is_searched = attribute.name, attribute.name in searched
        if not (is_searched or attribute.is_key or attribute.is_required or name in first):
            continue
        if not attribute.is_settable:
            return None
        if attribute.refers_to and not (is_searched and _accepts_parent(model, attribute, plan, calls)):
            return None
        value = _other(attribute, table, searched.get(name, set()))
        must_differ = is_searched or attribute.is_unique or (table is not None and name in unique_columns(table))
        if value is None and (must_differ or attribute.is_key) and (is_searched or name in first):
            return None
        value = value or first.get(name)
        if value is None and attribute.is_required:
            return None
        found |= {name: value} if value is not None else {}
    return found


def _other(attribute: Attribute, table: Table | None, used: set[object]) -> str | None:
    column = table.columns.get(attribute.name) if table is not None else None
    if table is None:
        column = Column(name=attribute.name, type=TYPES.get(attribute.type, ""), length=attribute.length)
    if column is None or attribute.type not in TYPES:
        return None
    return other_value(column, table or Table(""), NUMBER, used)


def _searched(model: Model, calls: list[ServiceCall]) -> dict[str, set[object]]:
    """Return the attributes that statements compare, with the values; nothing where one may find other objects."""
    reads = [call for call in calls if call.method not in _WRITES]
    if any(call.method in _SENDS and call.node.args and not _classes(call.node) for call in reads):
        return {}
    nodes = {ast.unparse(call.node): call.node for call in reads if model.name in _classes(call.node)}
    whole = [node for text, node in nodes.items() if not any(text in other and text != other for other in nodes)]
    if sum(call.method == "query" for call in reads) > len(whole):
        return {}
    found: dict[str, set[object]] = {}
    for node in whole:
        compared = _compared(node, model)
        if not compared:
            return {}
        for name, value in compared.items():
            found.setdefault(name, set()).add(value)
    return found


def _classes(node: ast.AST) -> set[str]:
    names = (free_name(each) for each in ast.walk(node) if isinstance(each, ast.Name))
    return {name for name in names if name[:1].isupper()}


def _compared(node: ast.Call, model: Model) -> dict[str, object]:
    """Return what a statement of plain comparisons, joined by AND, compares with constants."""
    found: dict[str, object] = {}
    for call in (each for each in ast.walk(node) if isinstance(each, ast.Call)):
        method = call.func.attr if isinstance(call.func, ast.Attribute) else free_name(call.func)
        if method not in _PLAIN or _classes(call) != {model.name}:
            return {}
        pairs: Iterable[tuple[str, ast.expr]] = ()
        if method in ("where", "filter"):
            pairs = [_equality(argument) for argument in call.args]
        elif method == "filter_by":
            pairs = [(word.arg or "", word.value) for word in call.keywords]
        elif method == "get":
            keys = [each.name for each in model.attributes.values() if each.is_key]
            pairs = [(keys[0] if len(keys) == 1 else "", call.args[-1])]
        for name, value in pairs:
            if name not in model.attributes or not isinstance(value, ast.Constant):
                return {}
            found[name] = value.value
    return found


def _equality(node: ast.expr) -> tuple[str, ast.expr]:
    is_plain = isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq)
    if is_plain and isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute):
        return node.left.attr, node.comparators[0]
    return "", node


def _is_counted(model: Model, plan: TestPlan) -> bool:
    """Return whether an assertion counts all objects of a class."""
    table = re.escape(quoted(model.table))
    counted = rf"count\(\*\) FROM {table}(?! WHERE)\b|select_from\({model.name}\)(?!\.filter_by)"
    return any(re.search(counted, line) for each in plan.checked.values() for line in each)


def _accepts_parent(model: Model, attribute: Attribute, plan: TestPlan, calls: list[ServiceCall]) -> bool:
    """Return whether one more object, to which the second one refers, disturbs nothing."""
    definition = plan.project.module(model.module)
    known = models_beside(definition, plan.project) if definition is not None else []
    parent = next((each for each in known if each.table == attribute.refers_to.rpartition(".")[0]), None)
    if parent is None or _is_counted(parent, plan) or any(parent.name in _classes(call.node) for call in calls):
        return False
    return not any(each.refers_to for each in parent.attributes.values()) and parent.name != model.name
