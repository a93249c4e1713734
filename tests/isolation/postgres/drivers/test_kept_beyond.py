"""What code keeps beyond its test, or beyond the moment when it is closed, is refused with the fixture's name."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

_KEEPING = """
    import asyncio
    import psycopg
    import pytest
    import sqlalchemy

    from realservices.isolation.errors import IsolationError

    KEPT = []

    async def test_keeps({fixture}):
        KEPT.append({fixture})

    async def test_uses(cloned_database):
        with pytest.raises(IsolationError) as caught:
            used = {use}
            await used if hasattr(used, "__await__") else None
        print(caught.value)
"""
_SELECT = 'KEPT[0].execute("SELECT 1")'
_TEXT = 'KEPT[0].execute(sqlalchemy.text("SELECT 1"))'
_USES = [
    ("isolated_database_sync", _SELECT, "this isolated_database_sync"),
    ("isolated_database_sync, isolated_psycopg2", 'KEPT[0][0].fetch("SELECT 1")', "this isolated_database_sync"),
    ("isolated_psycopg", _SELECT, "a connection of isolated_psycopg (or of an engine)"),
    ("isolated_psycopg", "KEPT[0].commit()", "a connection of isolated_psycopg (or of an engine)"),
    ("isolated_psycopg_async", _SELECT, "a connection of isolated_psycopg (or of an engine)"),
    ("isolated_engine", "KEPT[0].connect()", "this isolated_engine"),
    ("isolated_session", _TEXT, "this isolated_session"),
    ("isolated_session, isolated_engine", _TEXT.replace("KEPT[0]", "KEPT[0][0]"), "this isolated_engine"),
    ("isolated_session_async", _TEXT, "this isolated_session_async"),
    ("isolated_engine_async", "KEPT[0].connect().start()", "this isolated_engine_async"),
    ("cloned_database", "KEPT[0].url", "this cloned_database"),
    ("cloned_database", 'KEPT[0].url_for("postgresql")', "this cloned_database"),
    ("cloned_database", "KEPT[0].connect_kwargs", "this cloned_database"),
    ("cloned_database", "KEPT[0].connect()", "this cloned_database"),
    ("cloned_database", "KEPT[0].connect_sync()", "this cloned_database"),
]


@pytest.mark.parametrize(("fixture", "use", "name"), _USES)
def test_what_is_kept_beyond_its_test_is_refused(pytester: pytest.Pytester, fixture: str, use: str, name: str) -> None:
    keeping = _KEEPING.format(fixture="FIXTURE", use=use).replace(
        "def test_keeps(FIXTURE)", f"def test_keeps({fixture})"
    )
    pytester.makepyfile(keeping.replace("FIXTURE", f"({fixture})"))
    result = _run(pytester)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([f"*{name} belongs to a test that has ended; code under test must not keep it *"])


@pytest.mark.parametrize("use", ["url", "url_for('postgresql')", "connect_kwargs", "connect_sync()"])
def test_database_of_a_module_is_refused_when_its_tests_have_begun(pytester: pytest.Pytester, use: str) -> None:
    pytester.makepyfile(
        f"""
        def test_it(cloned_database_module, cloned_database):
            assert cloned_database_module.host
            cloned_database_module.{use}
        """
    )
    result = _run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*IsolationError: the database of this module (*is closed: tests have begun*"])


def test_fixture_with_params_is_told_what_to_fill(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module", params=["a", "b"])
        def seeded(request, cloned_database_module):
            cloned_database_module.connect_sync()

        def test_it(seeded, cloned_database):
            assert cloned_database.host
        """
    )
    result = _run(pytester)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*by cloned_database. A fixture with params fills that one, for each test*"])


@pytest.mark.parametrize("connect", ["psycopg.connect(url)", "asyncio.run(asyncpg.connect(url))"])
def test_url_that_leads_nowhere_any_more_is_explained(pytester: pytest.Pytester, connect: str) -> None:
    pytester.makepyfile(
        f"""
        import asyncio
        import asyncpg
        import psycopg
        import pytest

        @pytest.fixture(scope="module")
        def urls(cloned_database_module):
            return [cloned_database_module.url]

        def test_closed(urls, cloned_database):
            url = urls[0]
            urls.append(cloned_database.url)
            {connect}

        def test_gone(urls, cloned_database):
            url = urls[1]
            {connect}
        """
    )
    result = _run(pytester)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*is not currently accepting connections*",
            "*This database admits no other connection: it is the one of isolated_database, or one that tests start*",
            "*does not exist*",
            "*This database was that of a test that has ended*",
        ]
    )


def _run(pytester: pytest.Pytester) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-s", "-p", "realservices.fixtures.plugin", "-p", "no:cacheprovider")
