"""What a manifest must look like: rules/private/manifest.bzl writes it, the kinds' modules say what their keys mean.

An entry of a service comes by itself, too: as a request to the control socket (control_messages.py).
"""

from __future__ import annotations

from realservices.contract.shapes import (
    NAME,
    NOT_NEGATIVE,
    PORT,
    POSITIVE,
    VARIABLE,
    Rule,
    ShapeError,
    check,
    is_text,
    shown,
)
from realservices.contract.url_forms import POSTGRES_FORMS

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
DATABASES = range(1, 65537)
"""How many a Redis may have: its table of 65536 takes some 10 MB."""

PART = (str, {"service": str, "field": str, "port?": str, "driver?": frozenset(POSTGRES_FORMS)}, {"file": str})
"""Of a value that refers to services, see `environment.resolved_text`."""

_SETTINGS = {NAME: str}
_DATABASE = {"template": str, "template_info": str, "user": str, "database": str, "settings": _SETTINGS}
_CONFIGS = {
    "postgres": {
        "distribution": str,
        "distribution_archive?": str,
        "distribution_info?": str,
        **_DATABASE,
        "template_base?": str,
    },
    "clickhouse": {"server": str, **_DATABASE, "server_settings": _SETTINGS, "local_dictionaries": bool},
    "redis": {"server": str, "databases": DATABASES, "settings": _SETTINGS, "password?": bool},
    "executable": {
        "program": str,
        "args": [[PART]],
        "env": {VARIABLE: [PART]},
        "password?": bool,
        "ports": [NAME],
        "url": [PART],
        "websocket_url": [PART],
        "ready": {"type": frozenset({"http", "tcp", "log", "exec"})},
        "ready_timeout_s": POSITIVE,
        "stop_signal": SIGNAL,
        "grace_s": NOT_NEGATIVE,
        "cwd?": str,
    },
}
_READY = {
    "http": {"port": str, "path": HTTP_PATH, "status": [Rule("a pair of statuses", lambda value: _is_pair(value))]},
    "tcp": {"ports": [str]},
    "log": {"pattern": str},
    "exec": {"program": str, "args": [[PART]]},
}
_SERVICE = {
    "name": SERVICE_NAME,
    "kind": str,
    "label": str,
    "needs": [str],
    "config": dict,
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
            raise ShapeError(f"{key}.needs", shown(entry["needs"]), f"names of services before it ({_listed(present)})")
    config = entry["config"]
    # An unknown kind is told of where kinds are looked up.
    check(config, _CONFIGS.get(entry["kind"], dict), f"{key}.config")
    if entry["kind"] == "executable":
        ready = config["ready"]
        check(ready, _READY[ready["type"]], f"{key}.config.ready")
        for name in [ready["port"]] if ready["type"] == "http" else ready.get("ports", ()):
            if name not in config["ports"]:
                raise ShapeError(f"{key}.config.ready", shown(name), f"one of its ports ({_listed(config['ports'])})")


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "none"


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(each) is int for each in value)
