"""Damaged declarations of a project: a SettingError in our words, or they can be made entries of a manifest."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from realservices.contract.errors import RealServicesError
from realservices.sources.declarations import read_project
from realservices.sources.entries import entry_of
from realservices.sources.errors import SettingError
from tests.fuzz.mutations import Mutations, check_words

if TYPE_CHECKING:
    from pathlib import Path

    from realservices.sources.declarations import Project

_PROJECT: dict[str, Any] = {
    "isolation": "database",
    "warm": False,
    "warm_idle_s": 60,
    "services": {
        "db": {"kind": "postgres", "migrations": ["db/*.sql"], "settings": {"fsync": "off"}, "fixed_ports": {"postgres": 5432}},
        "events": {"kind": "clickhouse", "schema": ["db/1.sql"], "local_dictionaries": True, "server_settings": {"a": 1}},
        "cache": {"kind": "redis", "databases": 4, "settings": {"maxmemory": "64mb"}},
        "auth": {
            "kind": "executable", "command": ["sh", "-c", "$(url db)", "$(port admin)"], "env": {"A": "$(password)", "B": 1},
            "ports": ["http", "admin"], "ready": {"http": "/health"}, "ready_timeout_s": 5, "stop_signal": "SIGINT", "grace_s": 0.5,
            "services": ["db", "cache"], "inputs": ["db/**/*.sql"], "url": "http://$(host):$(port)",
        },
        "late": {"kind": "executable", "command": ["sh"], "ready": {"log": "^ready"}, "websocket_url": "ws://$(host):$(port)"},
        "open": {"kind": "executable", "command": ["sh"], "ready": {"tcp": ["http"]}},
    },
}  # fmt: skip


def test_declarations(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "1.sql").touch()
    mutations = Mutations("realservices.toml", _PROJECT, _toml)
    path = tmp_path / "realservices.toml"
    path.write_bytes(mutations.whole)
    project = read_project(tmp_path)
    assert [*project.services][:6] == ["db", "events", "cache", "auth", "late", "open"]
    _use(project)
    whole = 0
    for seed, text in mutations:
        path.write_bytes(text)
        with mutations.tried(seed, text):
            try:
                project = read_project(tmp_path)
                whole += 1
                _use(project)
            except SettingError as error:
                check_words(error, path)
    print(f"{whole} of the mutations are declarations all the same")


def _use(project: Project) -> None:
    for declaration in project.services.values():
        for key in ("migrations", "seeds", "schema"):
            with contextlib.suppress(SettingError):
                declaration.files(key)
        if declaration.kind == "executable" and not declaration.is_default:
            with contextlib.suppress(RealServicesError), entry_of(declaration, project.services) as entry:
                json.dumps(entry)


def _toml(value: Any) -> str:
    """Return a value as a file, each of a table's keys on a line of its own."""
    if not isinstance(value, dict):
        return f"x = {_inline(value)}\n"
    return "".join(f"{json.dumps(str(key))} = {_inline(each)}\n" for key, each in value.items())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {_inline(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else json.dumps(value)
