"""What a test gives mapped objects, and what it gives in their place: texts for times, classes that it makes up."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realservices.mocks.convert.orm_models import Attribute

_FROM_TEXT = {
    "datetime": "datetime.datetime.fromisoformat", "DateTime": "datetime.datetime.fromisoformat",
    "date": "datetime.date.fromisoformat", "Date": "datetime.date.fromisoformat", "UUID": "uuid.UUID",
    "Uuid": "uuid.UUID",
}  # fmt: skip


def is_made_up(made: ast.Call) -> bool:
    """Return whether a call makes an object of a class that the test makes up: a mock, a namespace, `type(…)()`."""
    name = ast.unparse(made.func)
    return name.rpartition(".")[2] in ("SimpleNamespace", "Mock", "MagicMock", "AsyncMock") or name.startswith("type(")


def fitting_value(attribute: Attribute | None, value: str, held: str) -> str:
    """Return a text that stands for a time or a UUID as an object of Python, which drivers want.

    Args:
        attribute: The mapped attribute.
        value: What the test gives it.
        held: Where the object has it, "" where it is only made here: what is no constant may be a text, too.
    """
    maker = _FROM_TEXT.get(attribute.type) if attribute is not None else None
    if maker and value.startswith(("'", '"')):
        return f"{maker}({value})"
    may_be_text = value.isidentifier() or value.endswith(".isoformat()")
    return f"{maker}(str({held}))" if maker and held and may_be_text and value != "None" else value
