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
_INNER = Rule(
    "a path that stays in the template",
    lambda value: is_text(value) and value[:1] not in ("", "/") and ".." not in value.split("/"),
)
_TREE = {"digest": NAME, "archive_digest": str, "size_bytes": int, "links": {_INNER: _INNER}}
_SHAPES = {
    "postgres": {
        **_TREE,
        "copy_size_bytes": int,
        "removed?": [_INNER],
        "base?": _TREE,
        "template_database": str,
        "ready_databases": [str],
        "server_version_num": int,
    },
    # A server's programs, in an archive (services/programs_archive.py).
    "programs": {"archive_digest": NAME, "size_bytes": int},
    "clickhouse": {
        "has_local_dictionaries": bool,
        "replay": {"statements": [str], "copies": {str: [str]}, "session": bool, "ready": dict, "refusal": str},
    },
}


def load_template_info(kind: str, path: str) -> dict[str, Any]:
    """Read the description of a template.

    Args:
        kind: The service's.
        path: The file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not JSON, or does not say what the kind needs.
    """
    with open(path, "rb") as file:
        info: dict[str, Any] = load_json(file.read())
    check(info, _SHAPES[kind])
    return info
