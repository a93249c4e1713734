"""A project's own migrators: what it may declare, and runs of pytest on what they make."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from realservices.services.migrators_needs import what_is_lacking
from realservices.sources.declarations import read_project
from realservices.sources.declared_migrators import made_of_migrators, migrate_spec
from realservices.sources.errors import SettingError
from tests.sources.servers import SESSIONS_DATABASES, query

if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.contract.runtime import Endpoint

    Run = Callable[..., pytest.RunResult]

_COMMAND = 'migrate = [["{python}", "-m", "tool"]]'
_INPUTS = 'inputs = ["*.py"]'


@pytest.mark.parametrize("kind", ["postgres", "clickhouse"])
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([_COMMAND], r"migrate = \[\['\{python\}', '-m', 'tool'\]\] needs inputs: the schema is built once and kept until"),
        ([_COMMAND, "inputs = []"], r"needs inputs: .* name all of them: inputs = \[\"alembic\.ini\", "),
        (['migrate_env = {}'], r"migrate_env = \{\} without migrate, which it is for; add migrate, or take out migrate_env"),
        (['migrate_env = { A = "1" }'], r"migrate_env = \{'A': '1'\} without migrate"),
        (["migrate_timeout_s = 5"], r"migrate_timeout_s = 5 without migrate"),
        (['migrate = "alembic"', _INPUTS], r"migrate = 'alembic'; it is a list of commands, such as \[\"\{python\}\", "),
        (['migrate = ["alembic upgrade head"]', _INPUTS], r"or functions, such as \"package\.module:function\""),
        (['migrate = ["app:"]', _INPUTS], "migrate = .* it is a list of commands"),
        (["migrate = [[]]", _INPUTS], "migrate = .* it is a list of commands"),
        (["migrate = [[5]]", _INPUTS], "migrate = .* it is a list of commands"),
        ([_COMMAND, _INPUTS, "migrate_timeout_s = 0"], "migrate_timeout_s = 0; it is a number above 0"),
        ([_COMMAND, 'inputs = ["/etc/*"]'], r"inputs\[0\] = '/etc/\*'; it is a path or pattern"),
        ([_COMMAND, _INPUTS, 'migrate_env = { A = ["1"] }'], r"migrate_env\.A = \['1'\]"),
        (
            [_COMMAND, _INPUTS, 'migrate_env = { A = "$(hostname)" }'],
            r"migrate_env A: \$\(hostname\) in '\$\(hostname\)' is nothing of the server that is migrated; there are \$\(url\), ",
        ),
        ([_COMMAND, _INPUTS, 'migrate_env = { A = "$(url db)" }'], r"migrate_env A: \$\(url db\) in .* is nothing of the"),
        ([_COMMAND, _INPUTS, 'migrate_env = { A = "$(url pg8000)" }'], r"\$\(url pg8000\) in '\$\(url pg8000\)' is nothing of the"),
        ([_COMMAND, _INPUTS, 'migrate_env = { A = "$HOME" }'], r"migrate_env A: \$ in '\$HOME' is nothing .* \$\$ for a dollar"),
        (
            ['migrate = [["tool", "--url=$(url)"]]', _INPUTS],
            r"migrate: every user of the machine could read \$\(url\) in '--url=\$\(url\)'; put it into migrate_env",
        ),
    ],
)  # fmt: skip
def test_what_means_nothing_is_told(tmp_path: Path, kind: str, lines: list[str], message: str) -> None:
    text = "\n".join(["[services.a]", f'kind = "{kind}"', *lines])
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=rf"realservices\.toml: service 'a': (.|\n)*{message}"):
        read_project(tmp_path)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("    key = os.environ['A_KEY']\nKeyError: 'A_KEY'\n", "A_KEY"),
        ("2 validation errors for Settings\nsecret_key\n  Field required [type=missing, …]\n    For\nb\n  Field required [type=missing,", "secret_key, b"),
        ("ImproperlyConfigured: Set the SECRET_KEY environment variable\n", "SECRET_KEY"),
        ("decouple.UndefinedValueError: DEBUG not found. Declare it as envvar or define a default value.", "DEBUG"),
        ('panic: environment variable "TOKEN" not set', "TOKEN"),
        ("KeyError: 'PGHOST'", ""),
        ("KeyError: 'name'", ""),
        ("url\n  Field required [type=missing", ""),
    ],
)  # fmt: skip
def test_variables_that_a_migrator_lacks_are_named(words: str, names: str) -> None:
    found = what_is_lacking(words, {"PGHOST": "127.0.0.1", "URL": "x"})
    assert found.startswith(f"It lacks {names}: a migrator has nothing of your shell's environment" if names else "")
    assert bool(found) == bool(names)


@pytest.mark.parametrize(
    ("words", "driver"),
    [
        ("ModuleNotFoundError: No module named 'psycopg2'\n", "psycopg"),
        (
            "InvalidRequestError: The asyncio extension requires an async driver to be used. The loaded 'psycopg2'",
            "asyncpg",
        ),
    ],
)
def test_a_driver_that_a_migrator_lacks_is_named(words: str, driver: str) -> None:
    assert f'DATABASE_URL = "$(url {driver})"' in what_is_lacking(words, {})


def test_a_url_may_name_its_driver(tmp_path: Path) -> None:
    text = f'[services.a]\nkind = "postgres"\n{_COMMAND}\n{_INPUTS}\nmigrate_env = {{ A = "$(url psycopg)?x=1" }}'
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    spec = migrate_spec(read_project(tmp_path).services["a"])
    assert spec["env"]["A"] == [{"service": "", "field": "url", "driver": "psycopg"}, "?x=1"]


def test_redis_has_no_migrators(tmp_path: Path) -> None:
    (tmp_path / "realservices.toml").write_text(f'[services.a]\nkind = "redis"\n{_COMMAND}', encoding="utf-8")
    with pytest.raises(SettingError, match="unknown key 'migrate'"):
        read_project(tmp_path)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    text = f'[services.a]\nkind = "postgres"\nmigrate = [["bin/dbmate", "up"]]\n{_INPUTS}'
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    with pytest.raises(
        SettingError, match="service 'a': migrate starts with 'bin/dbmate', which is no program on PATH"
    ):
        migrate_spec(read_project(tmp_path).services["a"])


def test_what_a_schema_is_made_of_has_the_versions_of_packages_and_what_is_in_directories(tmp_path: Path) -> None:
    text = '[services.a]\nkind = "postgres"\nmigrate = [["venv/bin/tool"]]\ninputs = ["app"]'
    (tmp_path / "realservices.toml").write_text(text, encoding="utf-8")
    packages = tmp_path / "venv" / "lib" / "python3.13" / "site-packages"
    for directory in (packages / "alembic-1.dist-info", tmp_path / "venv" / "bin", tmp_path / "app"):
        directory.mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "tool").write_text("#!/bin/sh\n", "utf-8")
    (tmp_path / "venv" / "bin" / "tool").chmod(0o755)
    (tmp_path / "app" / "models.py").touch()
    declaration = read_project(tmp_path).services["a"]
    seen = {str(made_of_migrators(declaration, migrate_spec(declaration)))}
    (packages / "alembic-1.dist-info").rename(packages / "alembic-2.dist-info")
    seen.add(str(made_of_migrators(declaration, migrate_spec(declaration))))
    (tmp_path / "app" / "models.py").rename(tmp_path / "app" / "tables.py")
    seen.add(str(made_of_migrators(declaration, migrate_spec(declaration))))
    assert len(seen) == 3


_PROJECT = """
[tool.realservices.services.db]
kind = "postgres"
migrations = ["first.sql"]
migrate = ["app.schema:create_all", ["{python}", "-m", "app.upgrade", "--at", "$(host):$(port)"], "app.schema:Later.create"]
migrate_env = { APP_DATABASE = "postgresql://$(user):$(password)@$(host):$(port)/$(database)", PRICE = "5 $$" }
inputs = ["app"]
seeds = ["seed.sql"]
"""
_SCHEMA = """
import os
import asyncpg
from app import TABLE

async def _run(statement):
    connection = await asyncpg.connect(os.environ["APP_DATABASE"])
    await connection.execute(statement)
    await connection.close()

def create_all():
    import asyncio
    assert os.environ["PRICE"] == "5 $", os.environ["PRICE"]
    asyncio.run(_run(f"CREATE TABLE {TABLE} AS SELECT * FROM first"))

class Later:
    @staticmethod
    async def create():
        await _run("CREATE TABLE third AS SELECT * FROM second")
        # Left connected: nobody could copy the database.
        globals()["left"] = await asyncpg.connect(os.environ["DATABASE_URL"])
"""
_UPGRADE = """
import asyncio, os, sys
from app.schema import _run
assert sys.argv[1:] == ["--at", os.environ["PGHOST"] + ":" + os.environ["PGPORT"]], sys.argv
asyncio.run(_run("CREATE TABLE second AS SELECT * FROM users"))
"""
_TESTS = """
async def test_rows(isolated_database):
    assert await isolated_database.fetchval("SELECT name FROM third") == "Ada"

async def test_clone(cloned_database):
    assert await (await cloned_database.connect()).fetchval("SELECT name FROM third") == "Ada"
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    app = pytester.mkpydir("app")
    (app / "__init__.py").write_text('TABLE = "users"\n', "utf-8")
    (app / "schema.py").write_text(_SCHEMA, "utf-8")
    (app / "upgrade.py").write_text(_UPGRADE, "utf-8")
    pytester.makefile(".toml", pyproject=_PROJECT)
    pytester.makefile(".sql", first="CREATE TABLE first (name text);", seed="INSERT INTO third VALUES ('Ada');")
    pytester.makepyfile(_TESTS)
    return pytester.path


@pytest.fixture
def embedded(alone: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    _own_postgres(alone)
    alone.setenv("XDG_CACHE_HOME", str(tmp_path))
    return alone


def _own_postgres(environment: pytest.MonkeyPatch) -> None:
    distribution = os.environ["POSTGRES_DISTRIBUTION"]
    environment.setenv("REALSERVICES_POSTGRES", str(Path(os.environ.get("RUNFILES_DIR", "")) / distribution))


def _templates(tmp_path: Path) -> int:
    return len(list(tmp_path.rglob("base.tar")))  # Of the empty one, which they begin from.


@pytest.mark.usefixtures("embedded")
def test_functions_and_commands_make_the_schema_once_for_the_same_inputs(
    project: Path, run: Run, tmp_path: Path
) -> None:
    run().assert_outcomes(passed=2)
    run().assert_outcomes(passed=2)
    assert _templates(tmp_path) == 1
    # What a function imports is among its inputs.
    (project / "app" / "__init__.py").write_text('TABLE = "people"\n', "utf-8")
    result = run()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        ["*service 'db': migrate: *app.upgrade* exited with code 1 after *", "*UndefinedTable*"]
    )


@pytest.mark.usefixtures("embedded")
@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("app.schema:create_al", "app.schema (*/app/schema.py) has no 'create_al'; correct the name behind the colon in migrate"),
        ("app.shema:create_all", "ModuleNotFoundError: No module named 'app.shema'"),
        ("app:TABLE", "app:TABLE is 'users', and not a function"),
    ],
)  # fmt: skip
def test_a_function_that_is_not_there(project: Path, run: Run, function: str, words: str) -> None:
    wrong = _PROJECT.replace('"app.schema:create_all"', f'"{function}"')
    (project / "pyproject.toml").write_text(wrong, "utf-8")
    result = run()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [f"*pyproject.toml: service 'db': migrate: '{function}' exited with code 1*", f"*{words}"]
    )


@pytest.mark.usefixtures("project")
async def test_they_migrate_a_server_that_somebody_else_runs(
    run: Run, external: pytest.MonkeyPatch, launched_postgres: Endpoint
) -> None:
    _own_postgres(external)
    run().assert_outcomes(passed=2)
    assert await query(launched_postgres, SESSIONS_DATABASES) == 0
    assert await query(launched_postgres, "SELECT count(*) FROM pg_class WHERE relname = 'third'") == 0


async def test_one_that_fails_there_leaves_nothing(
    project: Path, run: Run, external: pytest.MonkeyPatch, launched_postgres: Endpoint
) -> None:
    _own_postgres(external)
    (project / "app" / "upgrade.py").write_text("raise SystemExit('out of paint')", "utf-8")
    result = run()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        ["*service 'db': PostgreSQL at *: migrate: *app.upgrade* exited with code 1*", "*out of paint*"]
    )
    assert await query(launched_postgres, SESSIONS_DATABASES) == 0


@pytest.mark.usefixtures("project")
def test_a_socket_is_not_there_on_a_server_that_somebody_else_runs(
    pytester: pytest.Pytester, run: Run, external: pytest.MonkeyPatch
) -> None:
    _own_postgres(external)
    pytester.makefile(".toml", pyproject=_PROJECT.replace("5 $$", "$(socket)"))
    result = run()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        ["*service 'db': migrate_env PRICE: $(socket): the server of TEST_POSTGRES_HOST is reached*"]
    )
