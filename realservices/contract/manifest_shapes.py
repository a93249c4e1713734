"""What a manifest must look like: rules/private/manifest.bzl writes it, the kinds' modules say what their keys mean.

An entry of a service comes by itself, too: as a request to the control socket (control/messages.py).
"""

from __future__ import annotations

from realservices.contract.shapes import (
    NAME,
    PORT,
    VARIABLE,
    Rule,
    ShapeError,
    check,
    is_text,
    shown,
)
from realservices.kinds.registry import find_known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any


# Files are called after them, whose names have 255 bytes at most.
_LONGEST_NAME = 200


def is_service_name(value: Any) -> bool:
    """Return whether a service can be called this; its directory is."""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        return False
    return value.isascii() and value.replace("_", "").replace("-", "").isalnum()


def _is_signal(value: Any) -> bool:
    import signal  # noqa: PLC0415 - for servers of the user's own

    return isinstance(value, str) and value in signal.Signals.__members__


SERVICE_NAME = Rule("a text of letters, digits, '_' and '-', at most 200", is_service_name)
SIGNAL = Rule("the name of a signal, such as SIGTERM", _is_signal)
HTTP_PATH = Rule(
    "a path that starts with '/' and has no spaces",
    lambda value: is_text(value) and value[:1] == "/" and value.isprintable() and " " not in value,
)
SETTINGS = {NAME: str}
"""Of a server."""
DATABASE = {"template": str, "template_info": str, "user": str, "database": str, "settings": SETTINGS}
"""Of kinds whose data directory comes from a template."""
PART = (str, {"service": str, "field": str, "port?": str, "driver?": str}, {"file": str})
"""Of a value that refers to services, see `environment.resolved_text`."""

_SERVICE = {
    "name": SERVICE_NAME,
    "kind": str,
    "label": str,
    "needs": [str],
    "config": dict,
    # Of a kind that is a project's own.
    "package?": str,
    "import_paths?": [str],
    # Other than in a manifest, see launcher/session.
    "ports?": [PORT],
    "made_of?": [str],
}
_MANIFEST = {
    "label": str,
    "services": [_SERVICE],
    "test": {
        "runner": frozenset({"pytest", "executable", "services"}),
        "files?": [str],
        "import_paths?": [str],
        "compiled?": [str],
        "durations?": (str, None),
        "program?": str,
        "test_runner?": str,
        "checkout_paths?": [str],
        "on_path?": [str],
        "ports?": {str: PORT},
        "file_lists?": {str: str},
        "workspace?": str,
        "coverage?": [str],
    },
    "env": {VARIABLE: [PART]},
    "isolation": frozenset({"transaction", "database"}),
}


def check_manifest(content: Any) -> None:
    """Check all but the version.

    Raises:
        ShapeError: It is none.
    """
    check(content, _MANIFEST)
    names: list[str] = []
    for index, entry in enumerate(content["services"]):
        key = f"services[{index}]"
        check_service(entry, names, key)
        if entry["name"] in names:
            raise ShapeError(f"{key}.name", shown(entry["name"]), "a name that no other service has")
        names.append(entry["name"])


def check_service(entry: Any, present: Collection[str], key: str) -> None:
    """Check a service's entry.

    Args:
        entry: It.
        present: Names of the services that are there before it.
        key: Where it is, for the message.

    Raises:
        ShapeError: It is none.
    """
    check(entry, _SERVICE, key)
    for name in entry["needs"]:
        if name not in present:
            raise ShapeError(f"{key}.needs", shown(entry["needs"]), f"names of services before it ({listed(present)})")
    config = entry["config"]
    check(config, dict, f"{key}.config")
    kind = find_known(entry["kind"]) if not entry.get("package") else None
    if kind:  # An unknown one is told of where kinds are looked up.
        kind.check_config(config, f"{key}.config")


def listed(names: Collection[str]) -> str:
    """Return names for a message."""
    return ", ".join(names) or "none"
