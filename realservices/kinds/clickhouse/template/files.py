"""Schema and seed files of a ClickHouse template, read as statements."""

from __future__ import annotations

from realservices.contract.errors import TemplateError
from realservices.kinds.clickhouse.sql import split_statements
from realservices.schema.not_sql import not_utf_8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.kinds.clickhouse.sql import Statement


def read_statements(kind: str, shown: str, path: str) -> list[Statement]:
    """Return the statements of a file.

    Args:
        kind: ``schema`` or ``seed``, for messages.
        shown: What the file is called in them.
        path: Where it is.

    Raises:
        TemplateError: It is not text in UTF-8.
    """
    with open(path, "rb") as file:
        content = file.read()
    if wrong := not_utf_8(content):
        raise TemplateError(
            f"{kind} {shown}, line {wrong[0]}: the byte 0x{wrong[1]:02x} is not UTF-8, in which files with "
            "statements are. Save the file as UTF-8; write other bytes as unhex('ff')"
        )
    statements = split_statements(content.decode("utf-8-sig").replace("\r\n", "\n"))
    for statement in statements:
        statement.file = shown
    return statements
