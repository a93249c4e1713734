"""What a project can declare for plain pytest, and what is said about what it cannot."""

from __future__ import annotations

import importlib.resources
import os
import subprocess
import sys
import sysconfig
import venv
from typing import TYPE_CHECKING

import pytest

from realservices.contract.owned_settings import OWNED_SETTINGS
from realservices.sources.declarations import read_project
from realservices.sources.entries import entry_of
from realservices.sources.errors import MissingServiceError, SettingError
from realservices.sources.package import interpreter
from realservices.sources.programs import clickhouse_server, postgres_distribution, redis_server
from realservices.sources.recipes import CLICKHOUSE_MAKERS, POSTGRES_MAKERS

if TYPE_CHECKING:
    from pathlib import Path

_PROJECT = """
[tool.realservices]
isolation = "database"

[tool.realservices.services.db]
kind = "postgres"
migrations = ["db/*.sql"]

[tool.realservices.services.auth]
kind = "executable"
command = ["{python}", "-m", "auth.server", "--port", "$(port http)", "$$HOME"]
env = { DATABASE_URL = "$(url db)?x=1", TOKEN = "$(password)" }
services = ["db"]
ready = { http = "/health" }
"""


def test_nothing_declared_is_one_of_each(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'a'\n", encoding="utf-8")
    project = read_project(tmp_path)
    assert [(each.name, each.kind) for each in project.services.values()] == [
        ("postgres", "postgres"),
        ("redis", "redis"),
        ("clickhouse", "clickhouse"),
        ("websocket_relay", "executable"),
    ]
    assert project.services["websocket_relay"].speaks == ["websocket"]
    assert project.isolation == "transaction"


def test_tables_become_services(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(_PROJECT, encoding="utf-8")
    (tmp_path / "db").mkdir()
    for name in ("2.sql", "1.sql", "1.txt"):
        (tmp_path / "db" / name).touch()
    project = read_project(tmp_path)
    assert list(project.services) == ["db", "auth", "redis", "clickhouse", "websocket_relay"]
    assert project.services["auth"].speaks == ["http"]
    assert project.isolation == "database"
    assert [file.name for file in project.services["db"].files("migrations")] == ["1.sql", "2.sql"]
    with entry_of(project.services["auth"], project.services) as entry:
        config = entry["config"]
    assert entry["needs"] == ["db"]
    assert config["program"] == interpreter().removeprefix("/")
    http = {"service": "", "field": "port", "port": "http"}
    assert config["args"] == [["-m"], ["auth.server"], ["--port"], [http], ["$", "HOME"]]
    assert config["env"]["DATABASE_URL"] == [{"service": "db", "field": "url"}, "?x=1"]
    assert config["ready"] == {"type": "http", "path": "/health", "port": "http", "status": [[200, 399]]}
    assert (config["cwd"], config["password"]) == (str(tmp_path), True)


def test_a_server_that_speaks_websocket_takes_the_relays_place(tmp_path: Path) -> None:
    chat = '[services.chat]\nkind = "executable"\ncommand = ["chat"]\nwebsocket_url = "ws://$(host):$(port)/ws"\n'
    (tmp_path / "realservices.toml").write_text(chat, encoding="utf-8")
    project = read_project(tmp_path)
    assert list(project.services) == ["chat", "postgres", "redis", "clickhouse"]
    assert project.services["chat"].speaks == ["http", "websocket"]


def test_a_file_of_its_own_wins(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(_PROJECT, encoding="utf-8")
    (tmp_path / "realservices.toml").write_text("[services.cache]\nkind = 'redis'\ndatabases = 4\n", encoding="utf-8")
    project = read_project(tmp_path)
    assert list(project.services) == ["cache", "postgres", "clickhouse", "websocket_relay"]
    assert project.services["cache"].values == {"databases": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = ", r"realservices\.toml: Invalid value"),
        ("service = {}", r"unknown key 'service'; there are services, isolation, warm, warm_idle_s"),
        ("isolation = 'none'", r"isolation = 'none'; it is one of transaction, database"),
        ("warm_idle_s = 0", r"realservices\.toml: warm_idle_s = 0; it is a number of seconds above 0"),
        ("warm_idle_s = -1", r"warm_idle_s = -1; it is a number of seconds above 0 \(`warm = false` keeps nothing\)"),
        ("warm_idle_s = inf", r"warm_idle_s = inf; it is a number of seconds above 0"),
        ("warm_idle_s = nan", r"warm_idle_s = nan; it is a number of seconds above 0"),
        ("services = 'x'", r"realservices\.toml: services = 'x'; it is a table"),
        ("[services]\na = 1", r"service 'a': kind = 1; it is one of postgres, clickhouse, redis, executable"),
        ("[services.a]\nkind = 'mysql'", r"kind = 'mysql'; it is one of postgres"),
        ("[services.a]\ndatabases = 3", r"kind = None; it is one of postgres"),
        ("[services.'a b']\nkind = 'redis'", r"a name consists of letters"),
        ("[services.a]\nkind = 'redis'\nmigrations = []", r"unknown key 'migrations'; there are databases, settings"),
        ("[services.a]\nkind = 'redis'\ndatabases = '3'", r"databases = '3'; it is a number"),
        ("[services.a]\nkind = 'redis'\ndatabases = true", r"databases = True; it is a number"),
        ("[services.a]\nkind = 'postgres'\nseeds = 'a.sql'", r"seeds = 'a.sql'; it is a list of texts"),
        ("[services.a]\nkind = 'postgres'\nseeds = [1]", r"seeds = \[1\]; it is a list of texts"),
        ("[services.a]\nkind = 'executable'\nservices = ['b']", r"services names 'b', which is not declared; .*a"),
        ("[services.a]\nkind = 'executable'\nservices = ['a']", r"it needs itself"),
    ],
)
def test_declarations_that_mean_nothing(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=message):
        read_project(tmp_path)


@pytest.mark.parametrize(
    ("kind", "key", "name", "reason"),
    [
        (kind, "server_settings" if kind == "clickhouse" else "settings", name, reason)
        for kind, owned in OWNED_SETTINGS.items()
        for name, reason in owned.items()
    ],
)
def test_settings_that_are_the_launchers(tmp_path: Path, kind: str, key: str, name: str, reason: str) -> None:
    text = f'[services.a]\nkind = "{kind}"\n{key} = {{ "{name}" = "1" }}\n'
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingError) as caught:
        read_project(tmp_path)
    message = f"{tmp_path}/realservices.toml: service 'a': {key}: {name} = '1'; {reason}. Remove it"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("postgres", "Port = 1", r"settings: Port = 1; a name consists of lower-case letters, digits"),
        ("postgres", "hba-file = '/x'", r"settings: hba-file = '/x'; the launcher decides who may log in"),
        ("postgres", "'work_mem = 1; x' = 1", r"settings: work_mem = 1; x = 1; a name consists of"),
        ("redis", r'maxmemory = "1mb\nport 1"', r"maxmemory = '1mb\\nport 1'; a value is one line"),
        ("postgres", "app.tenant = 'x'", r"app = \{'tenant': 'x'\}; .* A name with dots is quoted"),
    ],
)
def test_settings_that_mean_nothing(tmp_path: Path, kind: str, settings: str, message: str) -> None:
    text = f'[services.a]\nkind = "{kind}"\n[services.a.settings]\n{settings}\n'
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=message):
        read_project(tmp_path)


def test_settings_of_queries_are_the_projects(tmp_path: Path) -> None:
    text = '[services.a]\nkind = "clickhouse"\nsettings = { path = "1" }\n'
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    assert read_project(tmp_path).services["a"].values == {"settings": {"path": "1"}}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", r"command is missing"),
        ("command = ['no-such-program']", r"starts with 'no-such-program', which is neither on PATH nor in"),
        (
            "command = ['sh', '$(url db)']",
            r"\$\(url db\) names neither a service of services \(none\).*'db' is declared",
        ),
        ("command = ['sh', '$(port admin)']", r"names neither .* nor a port \(http\)"),
        ("command = ['sh']\nready = { exec = 'x' }", r"ready = \{'exec': 'x'\}; it is one of"),
        ("command = ['sh']\nready = { http = 1 }", r"http is a text"),
    ],
)
def test_executables_that_mean_nothing(tmp_path: Path, lines: str, message: str) -> None:
    text = f"[services.db]\nkind = 'postgres'\n[services.a]\nkind = 'executable'\n{lines}\n"
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    declared = read_project(tmp_path).services
    with pytest.raises(SettingError, match=message), entry_of(declared["a"], declared):
        pass


def test_what_a_server_is_made_of(tmp_path: Path) -> None:
    """Its program, what pip has installed beside that, and its inputs: a directory is what people have put there."""
    script = _program(tmp_path / "venv" / "bin" / "serve", "")
    installed = tmp_path / "venv" / "lib" / "python3.12" / "site-packages"
    kept = [tmp_path / "app" / name for name in ("a.py", "deep/.env", "deep/b.toml")]
    others = [tmp_path / "app" / name for name in ("__pycache__/a.pyc", "deep/__pycache__/b.pyc", ".cache/c")]
    for path in (installed / "x", *kept, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    own = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    for command, inputs in ((str(script), "app"), ("venv/bin/serve", "app/deep/**")):
        text = f"[services.a]\nkind = 'executable'\ncommand = ['{command}']\ninputs = ['{inputs}', 'app/a.py']\n"
        (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
        declared = read_project(tmp_path).services
        with entry_of(declared["a"], declared) as entry:
            assert set(entry["made_of"]) == {str(script), *own, str(installed), *map(str, kept)}


def test_an_interpreter_has_one_path_whatever_it_is_called_by(tmp_path: Path) -> None:
    venv.create(tmp_path, symlinks=True)
    code = "from realservices.sources.package import interpreter; print(interpreter())"
    for name in ("python", "python3"):
        command = [str(tmp_path / "bin" / name), "-c", code]
        done = subprocess.run(
            command, env={"PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, check=True
        )
        assert done.stdout == f"{tmp_path}/bin/python\n"


def _program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ("postgres (PostgreSQL) 13.2", r"is PostgreSQL 13; 14 or later is needed"),
        ("no", r"says 'no', which is no version"),
    ],
)
def test_postgres_must_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, message: str) -> None:
    monkeypatch.setenv("REALSERVICES_POSTGRES", str(tmp_path))
    with pytest.raises(SettingError, match=r"has no bin/postgres, bin/initdb, bin/psql; name a directory like"):
        postgres_distribution()
    for name in ("postgres", "initdb", "psql"):
        _program(tmp_path / "bin" / name, says)
    with pytest.raises(SettingError, match=message):
        postgres_distribution()


def test_redis_must_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_REDIS", str(tmp_path))
    with pytest.raises(SettingError, match="it is no executable file"):
        redis_server()
    server = _program(tmp_path / "bin" / "redis-server", "Redis server v=6.2.7 sha=0")
    monkeypatch.setenv("REALSERVICES_REDIS", str(server))
    with pytest.raises(SettingError, match="is version 6; 7 or later is needed"):
        redis_server()
    monkeypatch.delenv("REALSERVICES_REDIS")
    monkeypatch.setenv("PATH", str(server.parent))
    with pytest.raises(SettingError, match="is version 6; 7 or later is needed"):
        redis_server()
    _program(server, "Redis server v=7.4.1 sha=0")
    assert redis_server() == server


def test_a_templates_name_depends_on_what_makes_it() -> None:
    makers = {*POSTGRES_MAKERS, *CLICKHOUSE_MAKERS}
    services = importlib.resources.files("realservices.services")
    assert makers <= {entry.name for entry in services.iterdir()}


def test_clickhouse_is_looked_for_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("REALSERVICES_CLICKHOUSE", raising=False)
    with pytest.raises(
        MissingServiceError, match=r"libchdb\.so of `npm pack @chdb/lib-linux-x64-gnu@26\.7\.\S+`, in REALSERVICES_CL"
    ):
        clickhouse_server()
    monkeypatch.setenv("REALSERVICES_CLICKHOUSE", str(tmp_path / "libchdb.so"))
    with pytest.raises(
        SettingError,
        match=r"libchdb\.so: there is no such file; name the libchdb\.so of `npm pack @chdb/lib-linux-x64-gnu@26",
    ):
        clickhouse_server()
    (tmp_path / "libchdb.so").touch()
    assert clickhouse_server() == tmp_path / "libchdb.so"
