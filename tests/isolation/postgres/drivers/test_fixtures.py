"""Which database a test's fixtures have, and what they say where they cannot work."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation.drivers.imports import MissingDriverError, driver
from realservices.kinds.postgres.isolation.drivers.urls import SCHEMES

if TYPE_CHECKING:
    from realservices.kinds.postgres.isolation.cloned_database import ClonedDatabase

pytest_plugins = ["pytester"]


async def test_asyncpg_beside_another_driver_has_its_database(isolated_database: Any, isolated_psycopg: Any) -> None:
    await isolated_database.execute("CREATE TABLE mine (id int)")
    assert isolated_psycopg.execute("SELECT count(*) FROM mine").fetchone() == (0,)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_url_for_each_library(cloned_database: ClonedDatabase, scheme: str) -> None:
    url = sqlalchemy.make_url(cloned_database.url_for(scheme))
    assert url.drivername == scheme
    assert (url.host, url.port, url.database) == (cloned_database.host, cloned_database.port, cloned_database.name)
    assert (url.username, url.password) == (cloned_database.user, cloned_database.password)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg", "psycopg2"])
def test_sqlalchemys_url_by_driver(cloned_database: ClonedDatabase, driver: str) -> None:
    assert cloned_database.sqlalchemy_url(driver) == cloned_database.url_for(f"postgresql+{driver}")
    with pytest.raises(IsolationError, match=r"'postgresql\+mysqldb'\): unknown"):
        cloned_database.sqlalchemy_url("mysqldb")


def test_url_for_an_unknown_library(cloned_database: ClonedDatabase) -> None:
    with pytest.raises(IsolationError, match=r"url_for\('postgresql\+pg8000'\): unknown; known are postgresql, "):
        cloned_database.url_for("postgresql+pg8000")
    with pytest.raises(IsolationError, match=r"; known are .* For psycopg it is url_for\('postgresql\+psycopg'\)$"):
        cloned_database.url_for("psycopg")


@pytest.mark.parametrize(
    ("module", "extra", "dependency"),
    [
        ("psycopg", "psycopg", "psycopg and psycopg-binary"),
        ("psycopg2", "psycopg2", "psycopg2-binary"),
        ("sqlalchemy", "sqlalchemy", "sqlalchemy"),
        ("greenlet", "sqlalchemy", "greenlet"),
    ],
)
def test_missing_driver(monkeypatch: pytest.MonkeyPatch, module: str, extra: str, dependency: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDriverError) as caught:
        driver(module, "isolated_session")
    assert f"isolated_session needs the package {module!r}, which cannot be imported here" in str(caught.value)
    assert f"`pip install 'rules-realservices[{extra}]'`" in str(caught.value)
    assert f"under Bazel add {dependency} to the target's deps" in str(caught.value)


_TESTS = """
    import pytest

    @pytest.mark.realservices(driver="asyncpg")
    def test_driver_that_an_engine_has_not(isolated_engine): pass

    @pytest.mark.realservices(driver="sqlite")
    def test_unknown_driver(isolated_engine): pass

    async def test_too_late(isolated_database, request):
        await isolated_database.execute("SELECT 1")
        request.getfixturevalue("isolated_psycopg")

    def test_missing(monkeypatch, request):
        monkeypatch.setitem(__import__("sys").modules, "psycopg2", None)
        request.getfixturevalue("isolated_psycopg2")

    def test_default_without_psycopg(monkeypatch, request):
        monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
        assert request.getfixturevalue("isolated_engine").url.drivername == "postgresql+psycopg2"

    @pytest.mark.realservices(driver="psycopg")
    async def test_one_driver_for_both(isolated_engine, isolated_engine_async):
        assert isolated_engine.url.drivername == isolated_engine_async.url.drivername == "postgresql+psycopg"

    @pytest.mark.realservices(driver="psycopg2")
    async def test_a_driver_for_one(isolated_engine, isolated_engine_async):
        assert isolated_engine.url.drivername == "postgresql+psycopg2"
        assert isolated_engine_async.url.drivername == "postgresql+asyncpg"
"""


def test_what_fixtures_say(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(_TESTS)
    result = pytester.runpytest_subprocess("-p", "realservices.fixtures.plugin", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines_random(
        [
            "*(driver='asyncpg')*isolated_engine has psycopg and psycopg2",
            "*(driver='sqlite')*isolated_engine has psycopg and psycopg2",
            "*isolated_psycopg was asked for when isolated_database had begun its transaction*",
            "*isolated_psycopg2 needs the package 'psycopg2'*",
        ]
    )
    result.assert_outcomes(passed=3, errors=2, failed=2)


def test_drivers_are_imported_by_their_users_only(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        async def test_it(isolated_database):
            await isolated_database.execute("SELECT 1")
            assert {"psycopg", "psycopg2", "sqlalchemy", "greenlet"}.isdisjoint(sys.modules)
    """)
    result = pytester.runpytest_subprocess("-p", "realservices.fixtures.plugin", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
