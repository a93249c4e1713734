"""How a project declares a server of its own for plain pytest."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.contract.manifest_shapes import HTTP_PATH, SIGNAL, is_service_name
from realservices.contract.shapes import NAME, NOT_NEGATIVE, POSITIVE, VARIABLE, Every, Rule, is_text
from realservices.kinds.executable.kind import KIND
from realservices.sources.declaration_shapes import EVERY, FILES, is_command
from realservices.sources.declared_kind import DeclaredKind
from realservices.sources.errors import MissingServiceError, SettingError
from realservices.sources.inputs import input_files, site_directories
from realservices.sources.missing import explain_uninstalled
from realservices.sources.package import projects_interpreter
from realservices.sources.references import parts_of
from realservices.sources.source import protocols

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Mapping

    from realservices.sources.declarations import Declaration

    Part = str | dict[str, str]

# The rule's defaults.
_PORTS = ("http",)
_URL = "http://$(host):$(port)"
_READY_TIMEOUT_S, _GRACE_S = 60, 5.0
_OWN_PASSWORD = {"service": "", "field": "password"}
_READY_KEYS = {"http": "path", "tcp": "ports", "log": "pattern"}


def _are_ports(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_service_name, value)) and len({*value}) == len(value)


def _is_expression(value: Any) -> bool:
    try:
        return bool(is_text(value) and re.compile(value))
    except (re.error, RecursionError, OverflowError):
        return False


_READY = Every(
    [
        Rule(
            'one of { http = "/path" }, { tcp = ["port"] }, { log = "regular expression" }',
            lambda value: isinstance(value, dict) and len(value) == 1 and value.keys() <= {"http", "tcp", "log"},
        ),
        {"http?": HTTP_PATH, "tcp?": [NAME], "log?": Rule("a regular expression of Python", _is_expression)},
    ]
)


class _Executable(DeclaredKind):
    kind = KIND
    keys = {
        "command?": Rule("a list of a program and its arguments", is_command),
        "env?": {VARIABLE: (str, float, bool)},
        "ports?": Rule("a list of different names of letters, digits, '_' and '-'", _are_ports),
        "url?": str,
        "websocket_url?": str,
        "ready?": _READY,
        "ready_timeout_s?": POSITIVE,
        "stop_signal?": SIGNAL,
        "grace_s?": NOT_NEGATIVE,
        "services?": [str],
        "inputs?": FILES,
        **EVERY,
    }

    def check(self, declaration: Declaration) -> None:
        ready = declaration.values.get("ready", {})
        known = ", ".join(self.port_names(declaration))
        if "http" in ready and not known:
            raise SettingError(f"{declaration.where}: ready = {ready!r} needs a port, and ports = []")
        for name in ready.get("tcp", ()):
            if name not in self.port_names(declaration):
                raise SettingError(
                    f"{declaration.where}: ready.tcp names {name!r}, which is none of its ports: {known}"
                )

    def port_names(self, declaration: Declaration) -> tuple[str, ...]:
        return tuple(declaration.values.get("ports", _PORTS))

    def speaks(self, declaration: Declaration) -> list[str]:
        url = declaration.values.get("url", _URL if self.port_names(declaration) else "")
        return protocols(url, declaration.values.get("websocket_url", ""))

    def made_of(self, declaration: Declaration, config: Mapping[str, Any]) -> list[str]:
        program = f"/{config['program']}"
        if declaration.is_default:
            return [program]
        if not declaration.values.get("inputs"):
            return []
        return [program, *site_directories(Path(program)), *input_files(declaration)]

    def config(
        self, declaration: Declaration, declared: Mapping[str, Declaration], stack: contextlib.ExitStack
    ) -> dict[str, Any]:
        values = declaration.values
        if declaration.is_default and importlib.util.find_spec("websockets") is None:
            raise MissingServiceError("websocket", explain_uninstalled("websocket", entry="websocket_relay"))
        command = [part.replace("{python}", projects_interpreter()) for part in values.get("command", ())]
        if not command:
            raise SettingError(f"{declaration.where}: command is missing; it is a list of a program and its arguments")
        program = Path(shutil.which(command[0]) or declaration.root / command[0])
        if not os.path.exists(program):
            raise SettingError(
                f"{declaration.where}: command starts with {command[0]!r}, which is neither on PATH nor in "
                f"{declaration.root}"
            )
        ports = list(self.port_names(declaration))

        def parts(key: str, text: Any) -> list[Part]:
            where = f"{declaration.where}: {key}"
            return parts_of(where, str(text), needs=declaration.needs, ports=ports, declared=declared)

        env = {name: parts(f"env {name}", text) for name, text in values.get("env", {}).items()}
        url = parts("url", values.get("url", _URL if ports else ""))
        return {
            # Not resolved: a virtual environment's interpreter knows it by its own path.
            "program": str(program.absolute()).removeprefix("/"),
            "args": [parts("command", text) for text in command[1:]],
            # Where a developer stands who starts it by hand: modules and files are found from there.
            "cwd": str(declaration.root),
            "env": env,
            "password": any(_OWN_PASSWORD in text for text in (*env.values(), url)),
            "ports": ports,
            "url": url,
            "websocket_url": parts("websocket_url", values.get("websocket_url", "")),
            "ready": _ready(declaration, ports),
            "ready_timeout_s": values.get("ready_timeout_s", _READY_TIMEOUT_S),
            "stop_signal": values.get("stop_signal", "SIGTERM"),
            "grace_s": values.get("grace_s", _GRACE_S),
        }


def _ready(declaration: Declaration, ports: list[str]) -> dict[str, Any]:
    kind, value = next(iter(declaration.values.get("ready", {"tcp": ports}).items()))
    more: dict[str, Any] = {"port": ports[0], "status": [[200, 399]]} if kind == "http" else {}
    return {"type": kind, _READY_KEYS[kind]: value, **more}


DECLARED = _Executable()
