"""A ClickHouse under plain pytest: the session's own, with its schema, and one of somebody else's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import clickhouse_connect
import pytest

from tests.sources.warm_pool import await_waiting, pids
from tests.sources.warm_project import WarmProject

if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.contract.runtime import Endpoint

    Run = Callable[..., pytest.RunResult]

_PROJECT = """
[tool.realservices.services.events]
kind = "clickhouse"
schema = ["*.sql"]
database = "shop"
"""
_SCHEMA = """
CREATE TABLE events (id UInt64, what String) ENGINE = MergeTree ORDER BY id;
INSERT INTO events VALUES (1, 'seeded');
"""
_TESTS = """
    import os
    import pytest

    @pytest.mark.requires_clickhouse
    @pytest.mark.parametrize("n", range(6))
    async def test_rows(isolated_clickhouse, n):
        assert await isolated_clickhouse.execute("SELECT what FROM events") == [("seeded",)]
        await isolated_clickhouse.execute("INSERT INTO events VALUES (2, 'new')")
        await isolated_clickhouse.execute("CREATE TABLE lone (id UInt64) ENGINE = Memory")

    def test_url(isolated_clickhouse_sync):
        assert os.environ["TEST_CLICKHOUSE_HOST"] == "127.0.0.1"
        assert isolated_clickhouse_sync.database.startswith("realservices_")
"""


@pytest.fixture
def engine(alone: pytest.MonkeyPatch) -> None:
    alone.setenv("REALSERVICES_CLICKHOUSE", str(Path(os.environ["RUNFILES_DIR"], os.environ["CLICKHOUSE_SERVER"])))
    alone.setenv("XDG_CACHE_HOME", os.environ["TEST_TMPDIR"])


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("arguments", [(), ("-p", "xdist.plugin", "-n2")])
def test_the_sessions_own(pytester: pytest.Pytester, run: Run, arguments: tuple[str, ...]) -> None:
    pytester.makefile(".toml", pyproject=_PROJECT)
    pytester.makefile(".sql", schema=_SCHEMA)
    pytester.makepyfile(_TESTS)
    run(*arguments).assert_outcomes(passed=7)


@pytest.mark.usefixtures("engine")
def test_a_function_makes_the_schema(pytester: pytest.Pytester, run: Run) -> None:
    migrate = 'migrate = ["schema:create"]\ninputs = ["schema.py"]\n'
    pytester.makefile(".toml", pyproject=_PROJECT.replace('schema = ["*.sql"]\n', migrate))
    pytester.makepyfile(
        schema=f"""
        import os
        import clickhouse_connect

        def create():
            client = clickhouse_connect.get_client(dsn=os.environ["CLICKHOUSE_URL"])
            for statement in {_SCHEMA!r}.split(";")[:-1]:
                client.command(statement)
    """
    )
    pytester.makepyfile(_TESTS)
    run().assert_outcomes(passed=7)


@pytest.mark.usefixtures("engine")
def test_a_schema_that_is_refused(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(".toml", pyproject=_PROJECT)
    pytester.makefile(".sql", schema="CREATE TABLE a (id UInt64) ENGINE = Memory;\n\nCREATE TABLE b (id Nonsense);\n")
    pytester.makepyfile(_TESTS)
    result = run("-k", "test_url")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*pyproject.toml: service 'events'*schema.sql*3*"])


def test_somebody_elses(
    launched_clickhouse: Endpoint, pytester: pytest.Pytester, run: Run, alone: pytest.MonkeyPatch
) -> None:
    before = _databases(launched_clickhouse)
    alone.setenv("TEST_CLICKHOUSE_HOST", launched_clickhouse.host)
    alone.setenv("TEST_CLICKHOUSE_HTTP_PORT", str(launched_clickhouse.ports["http"]))
    alone.setenv("TEST_CLICKHOUSE_TCP_PORT", str(launched_clickhouse.ports["tcp"]))
    alone.setenv("TEST_CLICKHOUSE_USER", launched_clickhouse.user)
    alone.setenv("TEST_CLICKHOUSE_PASSWORD", launched_clickhouse.password)
    alone.setenv("TEST_CLICKHOUSE_DB", str(launched_clickhouse.database))
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(4))
        async def test_rows(isolated_clickhouse, n):
            await isolated_clickhouse.execute("CREATE TABLE lone (id UInt64) ENGINE = Memory")

        def test_whose(isolated_clickhouse_sync):
            names = {row[0] for row in isolated_clickhouse_sync.execute("SHOW DATABASES")}
            assert isolated_clickhouse_sync.database in names
        """
    )
    run().assert_outcomes(passed=5)
    run("-p", "xdist.plugin", "-n2").assert_outcomes(passed=5)
    assert _databases(launched_clickhouse) == before


def _databases(service: Endpoint) -> set[str]:
    with clickhouse_connect.get_client(dsn=service.url) as client:
        return {row[0] for row in client.query("SHOW DATABASES").result_rows}


def test_a_session_finds_one_that_runs(tmp_path: Path, alone: pytest.MonkeyPatch) -> None:
    project = WarmProject(tmp_path, dict(os.environ))
    project.write(
        "test_both.py",
        """
        async def test_nothing_is_left(told, isolated_clickhouse):
            client = isolated_clickhouse.client
            assert client.query("EXISTS TABLE default.left_behind").result_rows == [(0,)]
            client.command("CREATE TABLE default.left_behind (n Int8) ENGINE = Memory")
        """.replace("\n        ", "\n"),
    )
    try:
        project.run()
        for _ in range(2):
            waiting = await_waiting("clickhouse")
            assert project.run()["pids"] == pids(waiting)
    finally:
        project.close()
