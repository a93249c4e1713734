"""Warm services are those that the project declares now: what has changed since they were started is started anew."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources.warm_pool import await_waiting, pids
from tests.sources.warm_project import WarmProject

_ENCLOSURE = Path(__file__).absolute().parents[1] / "host" / "enclosure.py"
_DATABASE = """
[services.db]
kind = "postgres"
migrations = ["*.sql"]
[services.cache]
kind = "redis"
"""
_WEB = """
[services.web]
kind = "executable"
command = ["{python}", "-S", "web.py", "$(port http)"]
ready = { http = "/" }
services = ["db"]
"""
_SERVER = """
import http.server, sys, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"VERSION 1")
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
_USES_TABLE = """
async def test_table(told, isolated_database, isolated_redis):
    assert await isolated_database.fetchval("SELECT count(*) FROM users") == ROWS
"""
_USES_WEB = """
import urllib.request
from realservices.sources.services import find_services

async def test_web(told, isolated_redis):
    services = find_services()
    endpoint = services.endpoint("executable", "web")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(endpoint.url) as answer:
        assert answer.read() == b"VERSION 1"
    services.close()
"""


@pytest.fixture
def project(tmp_path: Path, alone: pytest.MonkeyPatch) -> Iterator[WarmProject]:
    made = WarmProject(tmp_path, dict(os.environ))
    made.write("001.sql", "CREATE TABLE users (name text);")
    made.write("test_both.py", _USES_TABLE.replace("ROWS", "0"))
    made.declare(_DATABASE)
    yield made
    made.close()


@pytest.fixture
def web(project: WarmProject) -> WarmProject:
    project.write("web.py", _SERVER)
    project.write("test_both.py", _USES_WEB)
    project.declare(_DATABASE + _WEB + 'inputs = ["web.py"]\n')
    project.run()
    return project


def test_a_changed_migration_makes_another_database(project: WarmProject) -> None:
    project.run()
    waiting = pids(await_waiting("db", "cache"))
    project.write("002.sql", "INSERT INTO users VALUES ('Ada');")
    project.write("test_both.py", _USES_TABLE.replace("ROWS", "1"))
    found = project.run()["pids"]
    assert found["cache"] == waiting["cache"]
    assert found["db"] != waiting["db"]
    await_waiting("db", "cache")
    assert project.run()["pids"]["db"] != found["db"]


def test_changed_settings_make_another_service(project: WarmProject) -> None:
    project.run()
    waiting = pids(await_waiting("db", "cache"))
    project.declare(_DATABASE + "databases = 20\n")
    found = project.run()["pids"]
    assert found["db"] == waiting["db"]
    assert found["cache"] != waiting["cache"]


def test_a_server_whose_inputs_are_known_is_kept(web: WarmProject) -> None:
    waiting = pids(await_waiting("db", "cache", "web"))
    assert web.run()["pids"] == waiting


def test_a_server_of_changed_inputs_is_never_used(web: WarmProject) -> None:
    waiting = pids(await_waiting("db", "cache", "web"))
    web.write("web.py", _SERVER.replace("VERSION 1", "VERSION 2"))
    web.write("test_both.py", _USES_WEB.replace("VERSION 1", "VERSION 2"))
    found = web.run()["pids"]
    assert found["web"] != waiting["web"]
    assert (found["db"], found["cache"]) == (waiting["db"], waiting["cache"])


def test_inputs_that_were_changed_and_changed_back_are_others(web: WarmProject) -> None:
    waiting = pids(await_waiting("db", "cache", "web"))
    # A server that was started in between would be the other one.
    web.write("web.py", _SERVER.replace("VERSION 1", "VERSION 2"))
    web.write("web.py", _SERVER)
    assert web.run()["pids"]["web"] != waiting["web"]


def test_a_further_input_is_a_change(web: WarmProject) -> None:
    web.declare(_DATABASE + _WEB + 'inputs = ["*.py"]\n')
    web.run()
    waiting = pids(await_waiting("db", "cache", "web"))
    web.write("more.py", "")
    assert web.run()["pids"]["web"] != waiting["web"]


def test_a_change_below_a_directory_of_inputs(web: WarmProject) -> None:
    (web.directory / "web" / "deep").mkdir(parents=True)
    web.write("web/deep/words.txt", "one")
    web.declare(_DATABASE + _WEB + 'inputs = ["web"]\n')
    web.run()
    waiting = pids(await_waiting("db", "cache", "web"))
    web.write("web/deep/words.txt", "two")
    assert web.run()["pids"]["web"] != waiting["web"]


def test_a_server_whose_inputs_are_not_known_is_never_kept(web: WarmProject) -> None:
    web.declare(_DATABASE + _WEB)
    web.run()
    await_waiting("db", "cache")


def test_a_server_goes_with_the_database_that_it_knows(web: WarmProject) -> None:
    waiting = pids(await_waiting("db", "cache", "web"))
    web.write("002.sql", "INSERT INTO users VALUES ('Ada');")
    found = web.run()["pids"]
    assert found["cache"] == waiting["cache"]
    assert not {found["db"], found["web"]} & set(waiting.values())


def test_inputs_that_are_not_there(web: WarmProject) -> None:
    web.declare(_DATABASE + _WEB + 'inputs = ["web/*.py"]\n')
    run = web.start()
    output, _ = run.process.communicate()
    assert run.process.returncode == 1
    assert "service 'web': inputs = 'web/*.py' matches no file below" in output


def test_services_on_the_developers_ports_are_not_kept(project: WarmProject) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    project.declare(f"{_DATABASE}fixed_ports = {{ redis = {port} }}\n")
    project.write(
        "test_both.py",
        """
        import pytest
        from realservices.dev_launcher import DevLauncher, LauncherConfig

        async def test_launcher(told):
            launcher = DevLauncher(LauncherConfig(dynamic_ports=False))
            assert await launcher.run()
            await launcher.shutdown()
        """.replace("\n        ", "\n"),
    )
    project.run()
    await_waiting("db")


@pytest.mark.parametrize("space", ["registry", "cache"])
def test_a_full_disk(project: WarmProject, space: str) -> None:
    """Without room for what keeps services warm they are started as ever; without room for a schema there are none."""
    full = project.directory / "full"
    full.mkdir()
    project.env |= {"registry": {"REALSERVICES_REGISTRY": str(full)}, "cache": {"XDG_CACHE_HOME": str(full)}}[space]
    closed = ["sh", "-c", 'chmod 700 "$0" && exec "$@"', str(full)]
    command = [sys.executable, str(_ENCLOSURE), f"--tmpfs={full}=64k", f"--fill={full}", "--", *closed, sys.executable]
    pytest_options = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "realservices.fixtures.plugin")
    done = subprocess.run(
        [*command, *pytest_options],
        cwd=project.directory,
        env=project.env | {"TOLD": str(project.directory / "told")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if space == "registry":
        assert done.returncode == 0, done.stdout
    else:
        assert done.returncode == 1
        assert f"no room for a template in {full}/rules_realservices/templates" in done.stdout
        assert "XDG_CACHE_HOME" in done.stdout
