"""The plan's tests under plain pytest: the project declares its services, and the session starts them."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

_HERE = Path(__file__).parent
_OURS = ("-W", "error", "-p", "no:cacheprovider", "-p", "realservices.fixtures.plugin")
_XDIST = ("-p", "xdist.plugin", "-n2")
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "PYTHONPATH")
_PROJECT = """
[tool.realservices.services.db]
kind = "postgres"
migrations = ["schema/*.sql"]
seeds = ["seed.sql"]

[tool.realservices.services.cache]
kind = "redis"

[tool.realservices.services.auth]
kind = "executable"
command = ["{{python}}", "accounts.py", "--port", "$(port http)"]
env = {{ DATABASE_URL = "$(url db)", REDIS_URL = "$(url cache)", PYTHONPATH = "{path}" }}
ready = {{ http = "/health" }}
services = ["db", "cache"]

[tool.realservices.services.backend]
kind = "executable"
command = ["{{python}}", "chat.py", "--port", "$(port http)"]
env = {{ REDIS_URL = "$(url cache)", PYTHONPATH = "{path}" }}
websocket_url = "ws://$(host):$(port http)/ws"
ready = {{ http = "/health" }}
services = ["cache"]
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """The application with its tests, as a developer has it."""
    runfiles = Path(os.environ["RUNFILES_DIR"])
    servers = {
        "REALSERVICES_POSTGRES": str(runfiles / os.environ["POSTGRES_DISTRIBUTION"]),
        "REALSERVICES_REDIS": str(runfiles / os.environ["REDIS_SERVER"]),
        "XDG_CACHE_HOME": os.environ["TEST_TMPDIR"],
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    for name in list(os.environ):
        if name not in _KEPT:
            monkeypatch.delenv(name)
    for name, value in servers.items():
        monkeypatch.setenv(name, value)
    for name in ("accounts.py", "chat.py", "conftest.py", "plan_test.py", "seed.sql"):
        shutil.copy(_HERE / name, pytester.path / name)
    shutil.copytree(_HERE / "schema", pytester.path / "schema")
    pytester.makepyprojecttoml(_PROJECT.format(path=os.pathsep.join(sys.path)))
    return pytester


@pytest.mark.parametrize("arguments", [(), _XDIST])
def test_the_plans_tests(project: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    project.runpytest_subprocess(*_OURS, *arguments, timeout=120).assert_outcomes(passed=10)
    assert list(Path("/tmp").glob("rs-session.*")) == []


def test_the_plugins_own_fixtures(project: pytest.Pytester) -> None:
    (project.path / "conftest.py").unlink()
    project.runpytest_subprocess(*_OURS, timeout=120).assert_outcomes(passed=10)


def test_without_isolation_data_stays(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_ISOLATION", "0")
    result = project.runpytest_subprocess(*_OURS, "-k", "first_time_user", timeout=120)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*HttpStatusError: POST /auth/signup*status 409*email taken*"])


def test_a_run_that_goes_back_to_mocks(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_REAL_SERVICES", "false")
    project.makepyfile(
        both_test="""
        import pytest

        @pytest.fixture
        def users(request, use_real_services):
            if use_real_services:
                return request.getfixturevalue("real_services").auth_client
            return "a mock"

        def test_users(users):
            assert users == "a mock"
    """
    )
    result = project.runpytest_subprocess(*_OURS, "-rs", timeout=120)
    result.assert_outcomes(passed=1, skipped=10)
    result.stdout.fnmatch_lines(["*USE_REAL_SERVICES says no, and this test asks for dev_launcher, real_services*"])


def test_real_services_belong_to_the_sessions_loop(project: pytest.Pytester) -> None:
    project.makepyfile(
        loop_test="""
        import pytest

        @pytest.mark.asyncio(loop_scope="function")
        async def test_it(real_services):
            pass
    """
    )
    result = project.runpytest_subprocess(*_OURS, "loop_test.py", timeout=120)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*real_services belongs to the session's event loop; *that of its function*"])


@pytest.mark.parametrize("arguments", [(), _XDIST])
def test_a_service_that_does_not_start(project: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    (project.path / "conftest.py").unlink()
    (project.path / "chat.py").write_text("raise SystemExit('no licence found')", encoding="utf-8")
    project.makepyfile(
        more_test="""
        async def test_database(isolated_database):
            assert await isolated_database.fetchval("SELECT count(*) FROM users") == 1
    """
    )
    result = project.runpytest_subprocess(*_OURS, *arguments, timeout=120)
    result.assert_outcomes(errors=10, passed=1)
    result.stdout.fnmatch_lines(
        ["*service 'backend' (*exited with code 1*", "*its last log lines:*", "*no licence found*"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_fixed_ports_are_shared_by_workers(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.path / "conftest.py").unlink()
    monkeypatch.setenv("DYNAMIC_PORTS", "false")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    declared = (project.path / "pyproject.toml").read_text(encoding="utf-8")
    project.makepyprojecttoml(f"{declared}\nfixed_ports = {{ http = {port} }}\n")
    project.makepyfile(
        ports_test=f"""
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_it(real_services, number):
            assert real_services.backend_client.base_url == "http://127.0.0.1:{port}"
    """
    )
    result = project.runpytest_subprocess(*_OURS, *_XDIST, "ports_test.py", timeout=120)
    result.assert_outcomes(passed=4)
