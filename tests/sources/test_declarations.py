"""What a project can declare for plain pytest, and what is said about what it cannot."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import sysconfig
import venv
from typing import TYPE_CHECKING

import pytest

from realservices.kinds import registry
from realservices.kinds.clickhouse.declared import clickhouse_server
from realservices.kinds.postgres.sources.programs import postgres_distribution
from realservices.kinds.postgres.sources.recipe import postgres_recipe
from realservices.kinds.redis.declared import redis_server
from realservices.sources import templated
from realservices.sources.declarations import Declaration, read_project
from realservices.sources.declared_kind import declared_kind
from realservices.sources.entries import entry_of
from realservices.sources.errors import MissingServiceError, SettingError
from realservices.sources.package import interpreter

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
        ("clickhouse", "clickhouse"),
        ("postgres", "postgres"),
        ("redis", "redis"),
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
    assert list(project.services) == ["db", "auth", "clickhouse", "redis", "websocket_relay"]
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


def _with_migrations(root: Path, patterns: str) -> list[str]:
    (root / "pyproject.toml").write_text(
        f"[tool.realservices.services.db]\nkind = 'postgres'\nmigrations = {patterns}\n", encoding="utf-8"
    )
    return [shown for shown, _ in read_project(root).services["db"].named_files("migrations")]


def test_a_pattern_names_files_and_each_of_them_once(tmp_path: Path) -> None:
    (tmp_path / "db" / "old.sql").mkdir(parents=True)
    for name in ("1.sql", "2.sql", "old.sql/3.sql"):
        (tmp_path / "db" / name).touch()
    assert _with_migrations(tmp_path, "['db/2.sql', 'db/**/*.sql']") == ["db/2.sql", "db/1.sql", "db/old.sql/3.sql"]


def test_any_folders_are_the_projects_own(tmp_path: Path) -> None:
    own = ("db/sql/1.sql", "db/sql/app/sql/2.sql", "sql/3.sql")
    installed = (
        ".venv/lib/sql/4.sql",
        "env/lib/site-packages/sql/5.sql",
        "db/node_modules/a/sql/6.sql",
        "venv/sql/7.sql",
    )
    for name in (*own, *installed, "venv/pyvenv.cfg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert _with_migrations(tmp_path, "['**/sql/*.sql']") == [*own]
    assert _with_migrations(tmp_path, "['db/**/sql/**/*.sql']") == [*own[:2]]
    assert _with_migrations(tmp_path, "['.venv/**/*.sql']") == [installed[0]]
    assert _with_migrations(tmp_path, "['venv/**/*.sql']") == [installed[3]]


def test_a_directory_and_a_dangling_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    with pytest.raises(SettingError, match=r"migrations = 'db' is a directory: name the files in it, 'db/\*.sql' for"):
        _with_migrations(tmp_path, "['db/']")
    (tmp_path / "db" / "1.sql").symlink_to("nowhere.sql")
    with pytest.raises(SettingError, match=r"db/1.sql is a link to 'nowhere.sql', which is not there: mend the link"):
        _with_migrations(tmp_path, "['db/*.sql']")


def test_a_server_that_speaks_websocket_takes_the_relays_place(tmp_path: Path) -> None:
    chat = '[services.chat]\nkind = "executable"\ncommand = ["chat"]\nwebsocket_url = "ws://$(host):$(port)/ws"\n'
    (tmp_path / "realservices.toml").write_text(chat, encoding="utf-8")
    project = read_project(tmp_path)
    assert list(project.services) == ["chat", "clickhouse", "postgres", "redis"]
    assert project.services["chat"].speaks == ["http", "websocket"]


def test_a_file_of_its_own_wins(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(_PROJECT, encoding="utf-8")
    (tmp_path / "realservices.toml").write_text("[services.cache]\nkind = 'redis'\ndatabases = 4\n", encoding="utf-8")
    project = read_project(tmp_path)
    assert list(project.services) == ["cache", "clickhouse", "postgres", "websocket_relay"]
    assert project.services["cache"].values == {"databases": 4}


def _redis(line: str) -> str:
    return f"[services.a]\nkind = 'redis'\n{line}"


def _postgres(line: str) -> str:
    return f"[services.a]\nkind = 'postgres'\n{line}"


def _executable(line: str) -> str:
    return f"[services.a]\nkind = 'executable'\n{line}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tool = 5 # realservices", r"pyproject\.toml: tool = 5; it is a table"),
        ("[tool]\nrealservices = []", r"pyproject\.toml: realservices = \[\]; it is a table"),
        ("[tool.realservices]\nservices = [1]", r"pyproject\.toml: services = \[1\]; it is a table"),
    ],
)
def test_a_pyproject_that_means_nothing(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=message):
        read_project(tmp_path)


def test_a_pyproject_that_nobody_may_read(tmp_path: Path) -> None:
    (tmp_path / "realservices.toml").symlink_to("/proc/self/mem")
    with pytest.raises(SettingError, match=r"realservices\.toml cannot be read: "):
        read_project(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = ", r"realservices\.toml: Invalid value"),
        ("x = " + "[" * 100_000, r"realservices\.toml is nested too deeply"),
        (b"\xff", r"realservices\.toml is not UTF-8, as TOML is: invalid start byte at byte 0"),
        ("service = {}", r"unknown key 'service'; there are services, env, isolation, warm, warm_idle_s"),
        ("isolation = 'none'", r"isolation = 'none'; it is one of database, transaction"),
        ("isolation = ['database']", r"isolation = \['database'\]; it is one of database, transaction"),
        ("warm = 1", r"warm = 1; it is true or false"),
        ("warm_idle_s = 0", r"realservices\.toml: warm_idle_s = 0; it is a number of seconds above 0"),
        ("warm_idle_s = -1", r"warm_idle_s = -1; it is a number of seconds above 0 \(`warm = false` keeps nothing\)"),
        ("warm_idle_s = inf", r"warm_idle_s = inf; it is a number of seconds above 0"),
        ("warm_idle_s = nan", r"warm_idle_s = nan; it is a number of seconds above 0"),
        (
            _postgres("locale = '-T german'"),
            r"service 'a': locale = '-T german'; it is the name of a locale, as initdb",
        ),
        (_postgres("locale_provider = 'ucs'"), r"locale_provider = 'ucs'; it is one of builtin, icu, libc"),
        (_postgres("locale_provider = 'icu'"), r"service 'a': locale_provider = 'icu' needs a key locale"),
        (
            _postgres("layout = 'goose'"),
            r"layout = 'goose' says whose files migrations are, and there are none: name them, mig",
        ),
        ("services = 'x'", r"realservices\.toml: services = 'x'; it is a table"),
        ("[services]\na = 1", r"service 'a' = 1; it is a table"),
        (
            "[services.a]\nkind = 'mysql'",
            r"service 'a': kind = 'mysql'; it is one of clickhouse, executable, mariadb, postgres",
        ),
        (
            "[services.a]\nkind = ['redis']",
            r"kind = \['redis'\]; it is one of clickhouse, executable, mariadb, postgres, redis",
        ),
        (
            "[services.a]\ndatabases = 3",
            r"kind is missing; it is one of clickhouse, executable, mariadb, postgres, redis",
        ),
        ("[services.'a b']\nkind = 'redis'", r"a name consists of letters"),
        (
            "[services.a]\nkind = 'redis'\nmigrations = []",
            r"unknown key 'migrations'; there are kind, databases, settings",
        ),
        (_redis("databases = '3'"), r"databases = '3'; it is a whole number from 1 to 65536"),
        (_redis("databases = true"), r"databases = True; it is a whole number from 1 to 65536"),
        (_redis("databases = 0"), r"databases = 0; it is a whole number from 1 to 65536"),
        (_redis("databases = 1.5"), r"databases = 1.5; it is a whole number from 1 to 65536"),
        (_redis("databases = 0x" + "f" * 5000), r"databases = a number of too many digits; it is a whole number"),
        (_redis("settings = []"), r"settings = \[\]; it is a table"),
        (
            _redis("settings = { a = { b = 1 } }"),
            r"settings: a = \{'b': 1\}; a value is a text or a number",
        ),
        (_redis("settings = { a = nan }"), r"settings\.a = nan; it is a text or a number"),
        (
            _redis("settings = { a = 1979-05-27 }"),
            r"settings\.a = datetime.date\(1979, 5, 27\); it is a text or a number",
        ),
        (_redis("fixed_ports = { redis = '1' }"), r"fixed_ports\.redis = '1'; it is a whole number from 1 to 65535"),
        (_redis("fixed_ports = { redis = 0 }"), r"fixed_ports\.redis = 0; it is a whole number from 1 to 65535"),
        (_redis("fixed_ports = { redis = 1.5 }"), r"fixed_ports\.redis = 1.5; it is a whole number from 1 to 65535"),
        (_postgres("seeds = 'a.sql'"), r"seeds = 'a.sql'; it is a list, each a path or pattern that starts from"),
        (_postgres("seeds = [1]"), r"seeds\[0\] = 1; it is a path or pattern that starts from the project's directory"),
        (
            _postgres("seeds = ['/a.sql']"),
            r"seeds\[0\] = '/a.sql'; it is a path or pattern that starts from the project's",
        ),
        (
            _postgres("seeds = ['**x']"),
            r"seeds\[0\] = '\*\*x'; it is a path or pattern .* with '\*\*' for any folders of its own",
        ),
        (_postgres("seeds = ['']"), r"seeds\[0\] = ''; it is a path or pattern"),
        (_postgres('seeds = ["a\\u0000"]'), r"seeds\[0\] = 'a\\x00'; it is a path or pattern"),
        (_postgres("database = 5"), r"database = 5; it is a text"),
        (_postgres("base = ['a']"), r"base = \['a'\]; it is a text"),
        (_executable("services = ['b']"), r"services names 'b', which is not declared; .*a"),
        (_executable("services = ['a']"), r"it needs itself"),
        (_executable("services = 'b'"), r"services = 'b'; it is a list of texts"),
        (_executable("command = 'x'"), r"command = 'x'; it is a list of a program and its arguments"),
        (_executable("command = []"), r"command = \[\]; it is a list of a program and its arguments"),
        (_executable("command = ['']"), r"command = \[''\]; it is a list of a program and its arguments"),
        (_executable('command = ["a", "\\u0000"]'), r"command = \['a', '\\x00'\]; it is a list of a program"),
        (_executable("env = { 'A=B' = 'x' }"), r"env: the key = 'A=B'; it is a name of a variable"),
        (_executable("env = { A = ['x'] }"), r"env\.A = \['x'\]; it is a text or a number or true or false"),
        (_executable("ports = ['a', 'a']"), r"ports = \['a', 'a'\]; it is a list of different names"),
        (_executable("ports = [80]"), r"ports = \[80\]; it is a list of different names"),
        (
            _executable("stop_signal = 'SIGNONE'"),
            r"stop_signal = 'SIGNONE'; it is the name of a signal, such as SIGTERM",
        ),
        (_executable("ready_timeout_s = -1"), r"ready_timeout_s = -1; it is a number above 0"),
        (_executable("ready_timeout_s = inf"), r"ready_timeout_s = inf; it is a number above 0"),
        (_executable("grace_s = nan"), r"grace_s = nan; it is a number from 0 on"),
        (_executable("ready = { exec = 'x' }"), r"ready = \{'exec': 'x'\}; it is one of \{ http = \"/path\" \}, "),
        (_executable("ready = {}"), r"ready = \{\}; it is one of"),
        (_executable("ready = { http = '/', log = 'x' }"), r"ready = \{'http': '/', 'log': 'x'\}; it is one of"),
        (_executable("ready = { http = 1 }"), r"ready\.http = 1; it is a path that starts with '/' and has no spaces"),
        (_executable("ready = { http = 'x y' }"), r"ready\.http = 'x y'; it is a path that starts with '/'"),
        (_executable("ready = { http = '/' }\nports = []"), r"ready = \{'http': '/'\} needs a port, and ports = \[\]"),
        (_executable("ready = { tcp = 'http' }"), r"ready\.tcp = 'http'; it is a list"),
        (_executable("ready = { tcp = ['admin'] }"), r"ready\.tcp names 'admin', which is none of its ports: http"),
        (_executable("ready = { log = '(' }"), r"ready\.log = '\('; it is a regular expression of Python"),
    ],
)
def test_declarations_that_mean_nothing(tmp_path: Path, text: str | bytes, message: str) -> None:
    (tmp_path / "realservices.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingError, match=message):
        read_project(tmp_path)


@pytest.mark.parametrize(
    ("kind", "key", "name", "reason"),
    [
        (kind.name, kind.owned_key, name, reason)
        for kind in map(registry.find, registry.names())
        for name, reason in kind.owned_settings.items()
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
        (f"command = ['{'x' * 5000}']", r"starts with 'x+', which is neither on PATH nor in"),
    ],
)
def test_executables_that_mean_nothing(tmp_path: Path, lines: str, message: str) -> None:
    text = f"[services.db]\nkind = 'postgres'\n[services.a]\nkind = 'executable'\n{lines}\n"
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    declared = read_project(tmp_path).services
    with pytest.raises(SettingError, match=message), entry_of(declared["a"], declared):
        pass


@pytest.mark.parametrize(
    ("kind", "user", "database", "refused"),
    [
        ("postgres", "postgres", "app", ""),
        ("postgres", "pg_owner", "app", "user = 'pg_owner'; it is lower-case letters, digits and '_', and not pg_*"),
        ("postgres", "App", "app", "user = 'App'"),
        ("postgres", "app", "postgres", "database = 'postgres'; .* and not postgres, realservices_template, template0"),
        ("postgres", "app", "realservices_template", "database = "),
        ("clickhouse", "default", "app", "user = 'default'"),
        ("clickhouse", "app", "default", "database = 'default'"),
        ("mariadb", "root", "app", "user = 'root'"),
        ("mariadb", "mysql", "app", ""),
        ("mariadb", "app", "realservices_a", "database = 'realservices_a'"),
    ],
)
def test_accounts_and_databases_that_are_the_servers_own(
    tmp_path: Path, kind: str, user: str, database: str, refused: str
) -> None:
    text = f"[services.a]\nkind = '{kind}'\nuser = '{user}'\ndatabase = '{database}'\n"
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    declaration, declared = read_project(tmp_path).services["a"], declared_kind(kind)
    with contextlib.ExitStack() as stack:
        if refused:
            stack.enter_context(pytest.raises(SettingError, match=refused))
        found = declared.account(declaration)
        assert found == (user, database)


@pytest.mark.parametrize(
    ("base", "own", "message"),
    [
        ("kind = 'postgres'", "base = 'c'", "base = 'c', which is not declared; there are a, b"),
        (
            "kind = 'redis'",
            "base = 'b'",
            "base = 'b', which is a redis service; a postgres service begins from another one",
        ),
        ("kind = 'postgres'", "base = 'a'", "base = 'a': nothing begins from itself ('a' from 'a'); leave out one of "),
        (
            "kind = 'postgres'\nbase = 'a'",
            "base = 'b'",
            "base = 'a': nothing begins from itself ('a' from 'b' from 'a'); leave out one of these keys",
        ),
        (
            "kind = 'postgres'\nuser = 'app'",
            "base = 'b'",
            "user = 'test', and its base 'b' has user = 'app'; both need the same",
        ),
        (
            "kind = 'postgres'",
            "base = 'b'\nlocale = 'C'",
            "locale = 'C', and its base 'b' has locale = ''; both need the same",
        ),
        (
            "kind = 'postgres'\nsettings = { work_mem = '8MB' }",
            "base = 'b'",
            "settings = {}, and its base 'b' has settings = {'work_mem': '8MB'}; both need the same",
        ),
        (
            "kind = 'postgres'\ndatabase = 'app'",
            "base = 'b'",
            "database = 'test', and its base 'b' has database = 'app'; both need the same",
        ),
        (
            "kind = 'postgres'\nlocale = 'en-US'",
            "base = 'b'\nlocale = 'en-US'\nlocale_provider = 'icu'",
            "locale_provider = 'icu', and its base 'b' has locale_provider = ''; both need the same",
        ),
    ],
)
def test_bases_that_nothing_can_begin_from(tmp_path: Path, base: str, own: str, message: str) -> None:
    text = f"[services.a]\nkind = 'postgres'\n{own}\n[services.b]\n{base}\n"
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingError) as caught:
        read_project(tmp_path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/realservices.toml: service '")


def test_a_base_may_have_one(tmp_path: Path) -> None:
    tables = [f"[services.{name}]\nkind = 'postgres'\n" for name in "abc"]
    text = f"{tables[0]}base = 'b'\n{tables[1]}base = 'c'\n{tables[2]}"
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    services = read_project(tmp_path).services
    assert services["a"].base == services["b"]
    assert services["b"].base == services["c"]


def test_variables_of_the_projects_own(tmp_path: Path) -> None:
    text = f"{_PROJECT}\n[tool.realservices.env]\nPGHOST = '$(host db)'\nURL = '$(url db psycopg)?a=1'\nDEBUG = true\n"
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert read_project(tmp_path).env == {
        "PGHOST": [{"service": "db", "field": "host"}],
        "URL": [{"service": "db", "field": "url", "driver": "psycopg"}, "?a=1"],
        "DEBUG": ["True"],
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A = '$(host cache)'", r"env A: \$\(host cache\) names no service; there is db, .*\$\(host SERVICE\)"),
        ("A = '$(port)'", r"env A: \$\(port\) names no service"),
        (
            "A = '$(name db)'",
            r"env A: \$\(name db\): a service of kind 'postgres' has no name; it has database, host, pas",
        ),
        ("A = 'x$(url  db)'", r"env A: \$\(url  db\) is no reference; one is written \$\(host SERVICE\)"),
        ("A = '${url db}'", r"env A: \$\{url db\} is no reference"),
        ("A = '$(url db'", r"env A: \$\(url db is no reference"),
        ("A = '$(url db mysqldb)'", r"env A: \$\(url db mysqldb\): .*: asyncpg, psycopg, psycopg_async, psycopg2"),
        ("A = '$(host db psycopg)'", r"env A: \$\(host db psycopg\): after the service stands the name of a port"),
        ("REALSERVICES_A = '1'", r"REALSERVICES_A'.*does not begin with REALSERVICES_"),
        ("A = [1]", r"env\.A = \[1\]"),
    ],
)
def test_variables_that_mean_nothing(tmp_path: Path, line: str, message: str) -> None:
    text = f"[services.db]\nkind = 'postgres'\n[env]\n{line}\n"
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=message):
        read_project(tmp_path)


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


def test_another_locale_is_another_template(tmp_path: Path) -> None:
    distribution = tmp_path / "17"
    (distribution / "bin").mkdir(parents=True)
    (distribution / "bin" / "postgres").touch()
    digests = set()
    for keys in ({}, {"locale": "en-US"}, {"locale": "de-DE"}, {"locale": "en-US", "locale_provider": "icu"}):
        declaration = Declaration("db", "postgres", "realservices.toml: service 'db'", tmp_path, dict(keys))
        digests.add(postgres_recipe(declaration, distribution, "test", "test").digest)
    assert len(digests) == 4


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


def test_a_name_that_is_no_kind_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def entry_point(name: str) -> str:
        asked.append(name)
        return ""

    monkeypatch.setattr(registry, "_entry_point", entry_point)
    monkeypatch.setattr(registry, "_known", {})
    for _ in range(3):
        assert registry.find_known("no_kind") is None
        assert registry.find_known("redis") is not None
    assert asked == ["no_kind"]


def test_a_program_is_asked_for_its_version_once_for_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution = tmp_path / "17"
    for name in ("initdb", "psql"):
        _program(distribution / "bin" / name, "")
    asked = tmp_path / "asked"
    postgres = _program(distribution / "bin" / "postgres", "postgres (PostgreSQL) 17.2")
    postgres.write_text(f"{postgres.read_text(encoding='utf-8')}echo >> '{asked}'\n", encoding="utf-8")
    monkeypatch.setenv("REALSERVICES_POSTGRES", str(distribution))
    monkeypatch.setattr(templated, "template", lambda recipe, service: contextlib.nullcontext(tmp_path))
    declaration = Declaration("db", "postgres", "realservices.toml: service 'db'", tmp_path)
    with entry_of(declaration, {"db": declaration}) as entry:
        assert entry["config"]["distribution"] == str(distribution.resolve()).removeprefix("/")
    assert asked.read_text(encoding="utf-8") == "\n"
