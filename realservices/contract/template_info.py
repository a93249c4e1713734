"""What the build action of a database says of its template: a file beside the archive."""

from __future__ import annotations

from realservices.contract.shapes import NAME, Rule, check, is_text, load_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROGRESS = "progress: "
"""How a line begins by which a template tool tells what it does."""

STATISTICS = "statistics of "
"""How a line begins, among the contents of a PostgreSQL template, that is the planner's; a table's name follows."""
ROLES = "roles and their passwords"
"""What there stands in the place of a table for those."""

# What a tree of files is made from (host/template_tree.py).
INNER_PATH = Rule(
    "a path that stays in the template",
    lambda value: is_text(value) and value[:1] not in ("", "/") and ".." not in value.split("/"),
)
TREE = {"digest": NAME, "archive_digest": str, "size_bytes": int, "links": {INNER_PATH: INNER_PATH}}
"""Shape of what is known of a tree of files in an archive."""


def load_template_info(shape: Any, path: str) -> dict[str, Any]:
    """Read the description of a template.

    Args:
        shape: What it must look like.
        path: The file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not JSON, or does not say what is needed.
    """
    with open(path, "rb") as file:
        info: dict[str, Any] = load_json(file.read())
    check(info, shape)
    return info
