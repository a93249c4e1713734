"""What the build action of a database says of its template: a file beside the archive."""

from __future__ import annotations

from realservices.contract.shapes import check, load_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SHAPES = {
    "postgres": {"template_database": str, "ready_databases": [str], "server_version_num": int},
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
