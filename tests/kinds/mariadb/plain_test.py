"""A MariaDB under plain pytest: the session's own, with its schema, and one of somebody else's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pymysql
import pytest

from realservices.kinds.mariadb.wire import Connection
from tests.host import places

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint

pytest_plugins = ["pytester"]

_PROJECT = """
[tool.realservices.services.db]
kind = "mariadb"
migrations = ["migrations/*.sql"]
seeds = ["seed.sql"]
database = "shop"
settings = {max_connections = 33}
"""
_SCHEMA = "CREATE TABLE customers (id INT AUTO_INCREMENT PRIMARY KEY, name TEXT);"
_SEED = "INSERT INTO customers (name) VALUES ('Ada');"
_TESTS = """
    import os
    import pymysql
    import pytest

    async def rows(connection):
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT id, name FROM customers ORDER BY id")
            return list(await cursor.fetchall())

    @pytest.mark.parametrize("n", range(3))
    async def test_transaction(isolated_mariadb, n):
        assert await rows(isolated_mariadb) == [(1, "Ada")]
        async with isolated_mariadb.cursor() as cursor:
            await cursor.execute("INSERT INTO customers (name) VALUES ('Zoe')")
        await isolated_mariadb.commit()
        assert await rows(isolated_mariadb) == [(1, "Ada"), (2, "Zoe")]

    @pytest.mark.requires_mariadb
    @pytest.mark.parametrize("n", range(3))
    def test_database(cloned_mariadb, n):
        with pymysql.connect(**cloned_mariadb.parameters, autocommit=True) as client, client.cursor() as cursor:
            cursor.execute("INSERT INTO customers (name) VALUES ('Zoe')")
            assert cursor.lastrowid == 2
            cursor.execute("CREATE TABLE more (id INT)")

    def test_addresses(mariadb_url):
        assert os.environ["TEST_MARIADB_HOST"] == "127.0.0.1"
        assert "/realservices_" in mariadb_url
"""
# What an inner run must not hear of: Bazel, the launcher, and an outer pytest-xdist.
_OUTER = ("BAZEL_TEST", "TEST_SRCDIR", "TEST_TARGET", "TEST_WORKSPACE", "XML_OUTPUT_FILE")
_PREFIXES = ("TEST_MARIADB_", "REALSERVICES_", "MARIADB_URL", "PYTEST_XDIST_")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project, and no launcher, no session, nothing attached."""
    for name in list(os.environ):
        if name in _OUTER or name.startswith(_PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
    (pytester.path / "migrations").mkdir()
    (pytester.path / "migrations" / "1.sql").write_text(_SCHEMA)
    (pytester.path / "seed.sql").write_text(_SEED)
    pytester.makepyfile(_TESTS)
    return pytester


def _run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    ours = ("-W", "error", "-p", "no:cacheprovider", "-p", "realservices.fixtures.plugin")
    return project.runpytest_subprocess(*ours, *arguments, timeout=120)


@pytest.mark.parametrize("arguments", [(), ("-p", "xdist.plugin", "-n2")])
def test_the_sessions_own(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("REALSERVICES_MARIADB", str(places.mariadb_server()))
    project.makefile(".toml", pyproject=_PROJECT)
    _run(project, *arguments).assert_outcomes(passed=7)


def test_a_function_makes_the_schema(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_MARIADB", str(places.mariadb_server()))
    migrate = 'migrate = ["schema:create"]\ninputs = ["schema.py"]\n'
    project.makefile(".toml", pyproject=_PROJECT.replace('migrations = ["migrations/*.sql"]\n', migrate))
    project.makepyfile(
        schema=f"""
        import os, urllib.parse
        import pymysql

        def create():
            url = urllib.parse.urlsplit(os.environ["MARIADB_URL"])
            account = {{"user": url.username, "password": url.password, "database": url.path[1:]}}
            pymysql.connect(host=url.hostname, port=url.port, **account).cursor().execute({_SCHEMA!r})
    """
    )
    _run(project).assert_outcomes(passed=7)


def test_a_refused_migration_is_told_in_words(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_MARIADB", str(places.mariadb_server()))
    project.makefile(".toml", pyproject=_PROJECT)
    (project.path / "migrations" / "1.sql").write_text(_SCHEMA + "\nCREATE TABEL x (id INT);")
    result = _run(project, "-k", "addresses")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*MariaDB refused migration migrations/1.sql, line 2:*"])


@pytest.mark.parametrize(
    ("server", "reason"),
    [("/nosuch/mariadbd", "it is no executable file; name a mariadbd"), ("/bin/cat", "which is no version")],
)
def test_a_server_that_is_none(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, server: str, reason: str
) -> None:
    monkeypatch.setenv("REALSERVICES_MARIADB", server)
    project.makefile(".toml", pyproject=_PROJECT)
    result = _run(project, "-k", "addresses")
    result.assert_outcomes(errors=1)
    assert reason in result.stdout.str()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('user = "root"', "user = 'root'"),
        ('database = "mysql"', "database = 'mysql'"),
        ("settings = {port = 1}", "the launcher decides where it listens"),
        ('schema = ["a.sql"]', "schema"),
    ],
)
def test_what_cannot_be_declared(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, line: str, reason: str
) -> None:
    monkeypatch.setenv("REALSERVICES_MARIADB", str(places.mariadb_server()))
    project.makefile(".toml", pyproject=f'[tool.realservices.services.db]\nkind = "mariadb"\n{line}\n')
    result = _run(project, "-k", "addresses")
    assert result.ret != 0
    assert reason in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize("arguments", [(), ("-p", "xdist.plugin", "-n2")])
def test_somebody_elses_is_used_and_not_damaged(
    endpoint: Endpoint, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    account = endpoint.user, endpoint.password
    with Connection((endpoint.host, endpoint.port), *account) as connection:
        # The second database was left by a session that was killed; the account may do no more than it has to.
        connection.run("CREATE USER lowly IDENTIFIED BY 'x'; GRANT ALL ON elsewhere.* TO lowly")
        connection.run("GRANT ALL ON `realservices\\_%`.* TO lowly")
        connection.run("CREATE DATABASE elsewhere; CREATE DATABASE realservices_dead_1_7")
        connection.run(f"USE elsewhere; {_SCHEMA} {_SEED}")
        monkeypatch.setenv("TEST_MARIADB_HOST", endpoint.host)
        monkeypatch.setenv("TEST_MARIADB_PORT", str(endpoint.port))
        monkeypatch.setenv("TEST_MARIADB_USER", "lowly")
        monkeypatch.setenv("TEST_MARIADB_PASSWORD", "x")
        monkeypatch.setenv("TEST_MARIADB_DB", "elsewhere")
        before = (
            connection.run("SELECT * FROM elsewhere.customers"),
            connection.run("SHOW CREATE TABLE elsewhere.customers"),
        )
        try:
            _run(project, *arguments).assert_outcomes(passed=7)
            assert before == (
                connection.run("SELECT * FROM elsewhere.customers"),
                connection.run("SHOW CREATE TABLE elsewhere.customers"),
            )
            left = connection.run("SHOW DATABASES LIKE 'realservices%'")
            assert left == [("realservices_template",)]
        finally:
            connection.run("DROP DATABASE elsewhere; DROP DATABASE IF EXISTS realservices_dead_1_7; DROP USER lowly")


_SERVER = """
[tool.realservices.services.api]
kind = "executable"
command = ["{python}", "api.py", "$(port http)"]
env = { SHOP_URL = "$(url db)" }
ready = { http = "/" }
services = ["db"]
"""
_API = """
    import http.server, os, sys, urllib.parse
    sys.path.append(DRIVERS)
    import pymysql

    url = urllib.parse.urlsplit(os.environ["SHOP_URL"])
    account = {"user": url.username, "password": url.password, "database": url.path[1:]}
    client = pymysql.connect(host=url.hostname, port=url.port, autocommit=True, **account)
    client.cursor().execute("INSERT INTO customers (name) VALUES ('by the server, when it began')")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/add":
                client.cursor().execute("INSERT INTO customers (name) VALUES ('asked for')")
            cursor = client.cursor()
            cursor.execute("SELECT MAX(id) FROM customers")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(str(cursor.fetchone()[0]).encode())

    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
_TESTS_WITH_A_SERVER = """
    import pytest

    @pytest.mark.parametrize("n", range(3))
    async def test_what_the_server_writes_is_undone(comprehensive_test_environment, n):
        api, database = comprehensive_test_environment["http"], comprehensive_test_environment["mariadb"]
        assert (await api.get("/")).text == "2"
        assert (await api.get("/add")).text == "3"
        connection = await database.connect()
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT name FROM customers ORDER BY id")
            assert [name for (name,) in await cursor.fetchall()] == ["Ada", "by the server, when it began", "asked for"]
        await connection.ensure_closed()
"""


def test_a_server_of_the_projects_own(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_MARIADB", str(places.mariadb_server()))
    project.makefile(".toml", pyproject=_PROJECT + _SERVER)
    project.makepyfile(api=_API.replace("DRIVERS", repr(os.path.dirname(os.path.dirname(pymysql.__file__)))))
    project.makepyfile(_TESTS_WITH_A_SERVER)
    _run(project).assert_outcomes(passed=3)
