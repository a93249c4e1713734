"""What a project may declare, as shapes (contract/shapes.py). The words are those of the Bazel rules."""

from __future__ import annotations

import re
from typing import Any

from realservices.contract.manifest_shapes import DATABASES, HTTP_PATH, SIGNAL, is_service_name
from realservices.contract.shapes import NAME, NOT_NEGATIVE, PORT, POSITIVE, VARIABLE, Every, Only, Rule, is_text
from realservices.schema.layouts import LAYOUTS

_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def _is_pattern(value: Any) -> bool:
    if not is_text(value) or value.strip("./") == "" or value.startswith("/"):
        return False
    return all(part == "**" or "**" not in part for part in value.split("/"))


def _is_command(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_text, value)) and value[:1] not in ([], [""])


def _are_migrators(value: Any) -> bool:
    return isinstance(value, list) and all(
        bool(_FUNCTION.fullmatch(each)) if is_text(each) else _is_command(each) for each in value
    )


def _are_ports(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_service_name, value)) and len({*value}) == len(value)


def _is_expression(value: Any) -> bool:
    try:
        return bool(is_text(value) and re.compile(value))
    except (re.error, RecursionError, OverflowError):
        return False


_FILES = [Rule("a path or pattern that starts from the project's directory, with '**' for any folders", _is_pattern)]
_SETTINGS = {NAME: (str, float, bool)}
_READY = Every(
    [
        Rule(
            'one of { http = "/path" }, { tcp = ["port"] }, { log = "regular expression" }',
            lambda value: isinstance(value, dict) and len(value) == 1 and value.keys() <= {"http", "tcp", "log"},
        ),
        {"http?": HTTP_PATH, "tcp?": [NAME], "log?": Rule("a regular expression of Python", _is_expression)},
    ]
)
_LOCALE = Rule(
    'the name of a locale, as initdb takes it: "en_US.UTF-8", or "en-US" with locale_provider = "icu"',
    lambda value: is_text(value) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_.@-]*", value) is not None,
)
_OWN_VARIABLE = Rule(
    "the name of an environment variable that does not begin with REALSERVICES_",
    lambda value: VARIABLE.accepts(value) and not value.startswith("REALSERVICES_"),
)
_MIGRATE: dict[str, Any] = {
    "migrate?": Rule(
        'a list of commands, such as ["{python}", "-m", "alembic", "upgrade", "head"], or functions, such as '
        '"package.module:function"',
        _are_migrators,
    ),
    "migrate_env?": {VARIABLE: (str, float, bool)},
    "migrate_timeout_s?": POSITIVE,
    "inputs?": _FILES,
}
# Keys of every kind.
_ALL_KINDS = {"fixed_ports?": {str: PORT}}
KINDS: dict[str, dict[str, Any]] = {
    "postgres": {
        "base?": str,
        "migrations?": _FILES,
        "layout?": frozenset(LAYOUTS),
        "seeds?": _FILES,
        "extensions?": [NAME],
        **_MIGRATE,
        "settings?": _SETTINGS,
        "locale?": _LOCALE,
        "locale_provider?": frozenset({"libc", "icu", "builtin"}),
        "database?": str,
        "user?": str,
        **_ALL_KINDS,
    },
    "clickhouse": {
        "schema?": _FILES,
        **_MIGRATE,
        "seeds?": _FILES,
        "settings?": _SETTINGS,
        "server_settings?": _SETTINGS,
        "local_dictionaries?": bool,
        "database?": str,
        "user?": str,
        **_ALL_KINDS,
    },
    "redis": {"databases?": DATABASES, "settings?": _SETTINGS, "password?": bool, **_ALL_KINDS},
    "executable": {
        "command?": Rule("a list of a program and its arguments", _is_command),
        "env?": {VARIABLE: (str, float, bool)},
        "ports?": Rule("a list of different names of letters, digits, '_' and '-'", _are_ports),
        "url?": str,
        "websocket_url?": str,
        "ready?": _READY,
        "ready_timeout_s?": POSITIVE,
        "stop_signal?": SIGNAL,
        "grace_s?": NOT_NEGATIVE,
        "services?": [str],
        "inputs?": _FILES,
        **_ALL_KINDS,
    },
}
"""What a service may say beside its kind, by kind."""

PROJECT = Only(
    {
        "services?": {str: object},
        "env?": {_OWN_VARIABLE: (str, float, bool)},
        "isolation?": frozenset({"transaction", "database"}),
        "warm?": bool,
        "warm_idle_s?": Rule("a number of seconds above 0 (`warm = false` keeps nothing)", POSITIVE.accepts),
    }
)


def shape_of(kind: str) -> Only:
    """Return the shape of a service's whole table."""
    return Only({"kind": str, **KINDS[kind]})
