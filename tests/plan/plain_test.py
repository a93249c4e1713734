"""The plan's tests under plain pytest: the project declares its services, and the session starts them."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
import textwrap
from pathlib import Path

import pytest

from tests.host import places

pytest_plugins = ["pytester"]

_HERE = Path(__file__).parent
_OURS = ("-W", "error", "-p", "no:cacheprovider", "-p", "realservices.fixtures.plugin")
_XDIST = ("-p", "xdist.plugin", "-n2")
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "PYTHONPATH")
_KEYS = ["health_check_results", "port_allocations", "services_started", "startup_time", "test_results"]
_STEP = "- name: Run Real Service Tests"
_DEVELOPMENT = _HERE.parents[1] / "docs" / "development.md"
_COMMAND_LINE = places.command_line()
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
    project.runpytest_subprocess(*_OURS, *arguments, timeout=120).assert_outcomes(passed=11)
    assert list(Path("/tmp").glob("realservices-*/session.*")) == []


def test_the_plugins_own_fixtures(project: pytest.Pytester) -> None:
    (project.path / "conftest.py").unlink()
    project.runpytest_subprocess(*_OURS, timeout=120).assert_outcomes(passed=11)


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
    result.assert_outcomes(passed=1, skipped=11)
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
    result.assert_outcomes(errors=11, passed=1)
    result.stdout.fnmatch_lines(
        ["*service 'backend' (*exited with code 1*", "*its last log lines:*", "*no licence found*"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize("arguments", [(), _XDIST])
def test_the_report_of_a_session(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    _use_command_line(monkeypatch)
    project.makepyfile(
        more_test="""
        import pytest

        async def test_wrong(real_services):
            assert False

        def test_broken(no_such_fixture):
            pass

        def test_skipped():
            pytest.skip("today")
    """
    )
    wanted = ("--realservices-report=report.json", "more_test.py", "plan_test.py")
    project.runpytest_subprocess(*_OURS, *arguments, *wanted, timeout=120).assert_outcomes(
        passed=11, failed=1, errors=1, skipped=1
    )
    report = json.loads((project.path / "report.json").read_text(encoding="utf-8"))
    assert sorted(report) == _KEYS
    names = ["auth", "backend", "cache", "db"]
    started = sorted(report["services_started"], key=lambda each: str(each["name"]))
    assert [each["name"] for each in started] == names
    assert {"test": "pytest", "name": "cache", "kind": "redis"}.items() <= started[2].items()
    assert sorted(report["startup_time"]["pytest"]) == names
    assert all(0 < elapsed_ms < 60_000 for elapsed_ms in report["startup_time"]["pytest"].values())
    ports = report["port_allocations"]["pytest"]
    assert {name: list(each) for name, each in sorted(ports.items())} == {
        "auth": ["http"], "backend": ["http"], "cache": ["redis"], "db": ["postgres"],
    }  # fmt: skip
    assert len({port for each in ports.values() for port in each.values()}) == 4
    assert report["health_check_results"] == {"pytest": dict.fromkeys(report["startup_time"]["pytest"], "ready")}
    results = report["test_results"]
    assert len(results) == 14
    assert results["more_test.py::test_wrong"] == "failed"
    assert results["more_test.py::test_broken"] == "error"
    assert results["more_test.py::test_skipped"] == "skipped"
    assert results["plan_test.py::test_websocket_auth_flow[2]"] == "passed"


def test_the_report_of_a_session_with_a_dead_service(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    _use_command_line(monkeypatch)
    project.makepyfile(
        dead_test="""
        from realservices.control.client import BlockingServiceControl

        async def test_it(real_services, dev_launcher):
            BlockingServiceControl(dev_launcher.control).kill("backend")
    """
    )
    project.runpytest_subprocess(*_OURS, "--realservices-report=report.json", "dead_test.py", timeout=120)
    report = json.loads((project.path / "report.json").read_text(encoding="utf-8"))
    assert report["health_check_results"]["pytest"] == {
        "auth": "ready", "backend": "stopped", "cache": "ready", "db": "ready",
    }  # fmt: skip


def test_the_report_of_a_session_without_services(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    _use_command_line(monkeypatch)
    project.makepyfile(plain_test="def test_it(): pass")
    project.runpytest_subprocess(*_OURS, "--realservices-report=report.json", "plain_test.py", timeout=120)
    report = json.loads((project.path / "report.json").read_text(encoding="utf-8"))
    assert sorted(report) == _KEYS
    results = report.pop("test_results")
    assert results == {"plain_test.py::test_it": "passed"}
    assert not any(report.values())


def test_a_report_that_cannot_be_made(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    _use_command_line(monkeypatch)
    result = project.runpytest_subprocess(*_OURS, "--realservices-report=nowhere/report.json", timeout=120)
    result.stderr.fnmatch_lines(["*--realservices-report=nowhere/report.json: there is no directory nowhere*"])
    monkeypatch.setenv("BAZEL_TEST", "1")
    result = project.runpytest_subprocess(*_OURS, "--realservices-report=report.json", timeout=120)
    result.stderr.fnmatch_lines(["*under Bazel the build event file has all of this; see docs/report.md*"])


def test_the_report_of_a_launcher(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    _use_command_line(monkeypatch)
    script = """
        import asyncio, json
        from realservices.dev_launcher import DevLauncher, LauncherConfig
        from realservices.real_service_test_report import RealServiceTestReport
        from realservices.real_services_manager import RealServicesManager

        async def main():
            manager = RealServicesManager(DevLauncher(LauncherConfig(dynamic_ports=True, test_mode=True)))
            await manager.start_all_services()
            launcher = manager.launcher
            report = await RealServiceTestReport.from_launcher(launcher, {"login": "passed"})
            ports = {name: dict(each.ports) for name, each in launcher.endpoints.items()}
            print(json.dumps([report.generate(), ports, launcher.startup_ms]))
            await launcher.shutdown()

        asyncio.run(main())
    """
    done = project.run(sys.executable, project.makepyfile(script=script))
    assert done.ret == 0, done.stderr.str()
    report, ports, startup_ms = json.loads(done.stdout.str())
    assert sorted(report) == _KEYS
    assert sorted(each["name"] for each in report["services_started"]) == ["auth", "backend", "cache", "db"]
    assert report["port_allocations"] == {"pytest": ports}
    assert report["startup_time"] == {"pytest": {name: round(value, 1) for name, value in startup_ms.items()}}
    assert set(report["health_check_results"]["pytest"].values()) == {"ready"}
    assert report["test_results"] == {"login": "passed"}


def test_validate_leaves_the_tables_of_servers_alone(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    _use_command_line(monkeypatch)
    done = project.run(sys.executable, "-m", "realservices", "validate", "--json")
    assert done.ret == 0, done.stdout.str() + done.stderr.str()
    steps = {step["id"]: step for step in json.loads(done.stdout.str())["steps"]}
    assert "servers of this project use it, too, so no table was made in it" in steps["database"]["detail"]
    assert steps["websocket"]["detail"] == "answers with status 401: it wants somebody who is logged in"
    assert steps["redis"]["detail"].endswith("written, read, unseen by the next test")


def test_the_ci_job_of_the_documentation(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    step = _documented_step()
    assert step.env == {"USE_REAL_SERVICES": "true", "DYNAMIC_PORTS": "true", "TEST_ISOLATION": "1"}
    assert "python -m realservices test --level integration --real-services" in step.run
    for name, value in step.env.items():
        monkeypatch.setenv(name, value)
    _use_command_line(monkeypatch)
    # Where the package is not installed, the command brings the plugin itself.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-W error -p no:cacheprovider -p no:pytester")
    programs = project.path / "programs"
    programs.mkdir()
    (programs / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    (project.path / "plan_test.py").unlink()
    (project.path / "conftest.py").unlink()
    declared = (project.path / "pyproject.toml").read_text(encoding="utf-8")
    project.makepyfile(
        integration_test="""
        import pytest

        pytestmark = pytest.mark.integration

        # Twice: the second time, TEST_ISOLATION has put the users back.
        @pytest.mark.parametrize("attempt", [1, 2])
        async def test_sign_up(real_services, use_real_services, attempt):
            assert use_real_services
            user = await real_services.auth_client.register("new@example.com", "secure123")
            assert await real_services.auth_client.login(user.email, "secure123")
        """,
        unit_test="""
        import pytest

        @pytest.mark.unit
        def test_other(): pass
        """,
    )
    # As the runner does it: https://docs.github.com/actions/reference/workflow-syntax-for-github-actions
    (project.path / "step.sh").write_text(step.run, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as other:
        # Taken, and not to be used: DYNAMIC_PORTS is on.
        port = other.getsockname()[1]
        project.makepyprojecttoml(f"{declared}\nfixed_ports = {{ http = {port} }}\n")
        done = project.run("bash", "-e", "step.sh")
    assert done.ret == 0, done.stdout.str() + done.stderr.str()
    done.assert_outcomes(passed=2, deselected=1)


class _Step:
    """A step of a GitHub Actions job, from a block of YAML: as much of that as such a step has."""

    def __init__(self, block: str) -> None:
        lines = textwrap.dedent(block).splitlines()
        begin = lines.index("  env:")
        command = lines.index("  run: |")
        pairs = [line.strip().split(": ", 1) for line in lines[begin + 1 : command]]
        self.env = {name: value.strip('"') for name, value in pairs}
        self.run = textwrap.dedent("\n".join(lines[command + 1 :])) + "\n"


def _documented_step() -> _Step:
    text = _DEVELOPMENT.read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if _STEP in block]
    return _Step(block[block.rindex("\n", 0, block.index(_STEP)) + 1 :])


def _use_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the whole package: what Bazel's tests have is without the command line and the report."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(_COMMAND_LINE), *sys.path]))


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
