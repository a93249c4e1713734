"""`DevLauncher`: what it starts, ends, and says when something is in the way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from realservices.system.process_ids import program_of
from tests.host.ports import free_port

if TYPE_CHECKING:
    from tests.dev.project import Project

_DEADLINE_S = 10.0
_RUN = """
    async def main():
        async with DevLauncher(LauncherConfig({})) as launcher:
            print(json.dumps({{name: each.port for name, each in launcher.endpoints.items()}}))
"""
_HOLD = """
    async def main():
        async with DevLauncher(LauncherConfig(test_mode=False)) as launcher:
            print("up", os.environ["REALSERVICES_SESSION"], flush=True)
            await asyncio.Event().wait()
"""


def _wait_until_gone(path: Path) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while path.exists() and time.monotonic() < deadline:
        Event().wait(0.01)
    assert not path.exists()


def test_a_run_and_what_it_leaves(project: Project) -> None:
    project.declare(auth="", backend='services = ["auth"]')
    output = project.output("""
        async def main():
            launcher = DevLauncher(LauncherConfig(dynamic_ports=True, test_mode=True, startup_timeout=30))
            assert await launcher.run() is True
            assert await launcher.run() is True, "once more does nothing"
            await launcher.wait_for_healthy()
            info = await ServiceDiscovery().get_service_info("backend")
            directory = launcher.discovery.discovery_dir
            assert directory.stat().st_mode & 0o777 == 0o700
            assert all(path.stat().st_mode & 0o777 == 0o600 for path in directory.iterdir())
            await launcher.shutdown()
            await launcher.shutdown()
            assert not directory.exists() and "REALSERVICES_DISCOVERY_DIR" not in os.environ
            assert "REALSERVICES_SESSION" not in os.environ
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
            print(info.port, info.health_url, sorted(path.name for path in Path().iterdir()))
    """)
    port, url, left = output.split(" ", 2)
    assert url == f"http://127.0.0.1:{port}/health"
    assert left == "['realservices.toml']\n"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(port))) != 0


def test_the_same_launcher_twice(project: Project) -> None:
    project.declare(auth="")
    project.output("""
        async def main():
            launcher = DevLauncher()
            for _ in range(2):
                async with launcher:
                    assert (await launcher.discovery.get_service_info("auth")).port
    """)


def test_outside_of_tests_the_files_lie_in_the_project(project: Project) -> None:
    project.declare(auth="")
    project.output("""
        async def main():
            async with DevLauncher(LauncherConfig(test_mode=False)):
                del os.environ["REALSERVICES_DISCOVERY_DIR"]
                content = json.loads(Path(".service_discovery/auth.json").read_text())
                assert content["pid"] == os.getpid()
                assert (await ServiceDiscovery().get_service_info("auth")).port == content["port"]
            assert not Path(".service_discovery").exists()
    """)


def test_services_of_choice(project: Project) -> None:
    project.declare(auth="", backend='services = ["auth"]', worker='args = "--ends"')
    output = project.output(_RUN.format('services=["backend"]'))
    assert list(json.loads(output)) == ["auth", "backend"]
    assert project.error(_RUN.format('services=["api"]')).endswith(
        "LauncherConfig: services names 'api'; there are auth, backend, worker, clickhouse, postgres, redis, "
        "websocket_relay\n"
    )


def test_nothing_is_declared(project: Project) -> None:
    assert "no service is declared here: add [tool.realservices.services.NAME]" in project.error(_RUN.format(""))


def test_a_failure_names_itself_and_ends_the_rest(project: Project) -> None:
    words = project.directory / "words"
    project.declare(
        auth=f'args = "--last-words {words}"',
        backend='services = ["auth"]\nargs = "--ends"',
        gateway='services = ["backend"]',
    )
    output = project.output("""
        async def main():
            launcher = DevLauncher()
            assert await launcher.run() is False
            assert launcher.endpoints == {}
            assert "REALSERVICES_SESSION" not in os.environ
            print(launcher.failure)
            try:
                await launcher.wait_for_healthy()
            except StartupError as error:
                assert error is launcher.failure
    """)
    assert output.startswith("service 'backend' (")
    assert "exited with code 1" in output
    assert "its last log lines:\n    no licence found\n  not started because of it, or given up: gateway\n" in output
    assert words.read_text() == "auth\n"


def test_a_declaration_that_means_nothing_is_told_by_file_and_name(project: Project) -> None:
    project.declare(auth='ready = { exec = "x" }')
    error = project.error(_RUN.format(""))
    assert (
        f"StartupError: {project.directory}/realservices.toml: service 'auth': ready = {{'exec': 'x'}}; it is" in error
    )


def test_what_takes_too_long(project: Project) -> None:
    project.declare(auth="", backend='args = "--silent"', gateway='services = ["backend"]')
    error = project.error(_RUN.format("startup_timeout=2"))
    assert "service 'backend' (executable) was not ready within 2 s (startup_timeout); raise it" in error
    assert "its last log lines:\n    looking for a database\n" in error
    assert "service 'gateway' was not started: it waits for backend\n  ready in time: auth\n" in error


def test_what_gets_sick(project: Project) -> None:
    project.declare(auth='args = "--sick sick"')
    error = project.error("""
        async def main():
            async with DevLauncher() as launcher:
                Path("sick").touch()
                await launcher.wait_for_healthy(timeout=0.2)
    """)
    assert "UnhealthyError: service 'auth' is not healthy within 0.2 s: http://127.0.0.1:" in error
    assert "/health answers with status 503\n  its last log lines:\n    auth serves\n" in error


def test_what_has_died(project: Project) -> None:
    project.declare(auth="")
    error = project.error("""
        from realservices.control.client import BlockingServiceControl
        async def main():
            async with DevLauncher() as launcher:
                BlockingServiceControl(os.environ["REALSERVICES_SESSION"] + "/control.sock").kill("auth")
                try:
                    await launcher.wait_for_healthy(timeout=0.2)
                except UnhealthyError as error:
                    assert "/health cannot be reached: " in str(error), error
                await launcher.discovery.get_service_info("auth")
    """)
    assert "StaleServiceError: service 'auth' is not there any more: nothing listens on 127.0.0.1:" in error


def test_use_before_the_start(project: Project) -> None:
    assert "DevLauncher: no service has been started; await run() first" in project.error("""
        async def main():
            await DevLauncher().wait_for_healthy()
    """)
    assert "DevLauncher: no service has been started; await run() first" in project.error("""
        async def main():
            DevLauncher().discovery
    """)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_in_order(project: Project, number: signal.Signals) -> None:
    words = project.directory / "words"
    last_words = f'args = "--last-words {words}"'
    project.declare(auth=last_words, backend=f'{last_words}\nservices = ["auth"]')
    with subprocess.Popen(
        project.command(_HOLD), cwd=project.directory, env=project.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as script:  # fmt: skip
        assert script.stdout
        word, session = script.stdout.readline().split()
        assert word == "up"
        script.send_signal(number)
        _, errors = script.communicate(timeout=_DEADLINE_S)
    assert script.returncode == -number
    assert f"{number.name}: ending auth, backend" in errors
    assert words.read_text() == "backend\nauth\n"
    assert not Path(session).exists()
    assert not (project.directory / ".service_discovery").exists()


def test_a_killed_launcher_leaves_files_that_are_known_to_be_stale(project: Project) -> None:
    project.declare(auth="")
    with subprocess.Popen(
        project.command(_HOLD), cwd=project.directory, env=project.environment, stdout=subprocess.PIPE, text=True
    ) as script:
        assert script.stdout
        session = script.stdout.readline().split()[1]
        refused = project.error(_RUN.format("test_mode=False"))
        script.kill()
    _wait_until_gone(Path(session))
    assert f"service 'auth' was started by process {script.pid}, which still runs. End that first" in refused
    error = project.error("""
        async def main():
            await ServiceDiscovery().get_service_info("auth")
    """)
    assert f"'auth' is not there any more: process {script.pid}, which started it, has ended without removing" in error
    project.output(_RUN.format("test_mode=False"))


def test_a_service_of_somebody_else_stays(project: Project) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        script = """
            async def main():
                async with DevLauncher(LauncherConfig(dynamic_ports=False)) as launcher:
                    info = await launcher.discovery.get_service_info("http")
                    print(list(launcher.endpoints), info.base_url, info.health_url)
        """
        output = project.output(script, TEST_HTTP_URL=f"http://127.0.0.1:{port}/api")
        assert output == f"['http'] http://127.0.0.1:{port}/api \n"
        with socket.create_connection(("127.0.0.1", port)):
            pass


def test_fixed_ports(project: Project) -> None:
    ports = [free_port(), free_port()]
    project.declare(
        auth=f"fixed_ports = {{ http = {ports[0]} }}", backend=f"fixed_ports = {{ http = {ports[1]} }}", worker=""
    )
    found = json.loads(project.output(_RUN.format("dynamic_ports=False")))
    assert [found["auth"], found["backend"]] == ports
    assert json.loads(project.output(_RUN.format(""), DYNAMIC_PORTS="false"))["auth"] == ports[0]
    assert json.loads(project.output(_RUN.format("")))["auth"] != ports[0]


def test_a_fixed_port_that_is_taken(project: Project) -> None:
    fallback = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        project.declare(auth=f"fixed_ports = {{ http = {port} }}")
        error = project.error(_RUN.format("dynamic_ports=False"))
        assert f"port {port} (http) is taken by {program_of(os.getpid())} (process {os.getpid()})" in error
        assert "declare another one in fixed_ports" in error
        output = project.output(_RUN.format(f"dynamic_ports=False, port_ranges=[({fallback}, {fallback})]"))
        assert json.loads(output) == {"auth": fallback}
        error = project.error(_RUN.format(f"dynamic_ports=False, port_ranges=[({port}, {port})]"))
        assert f"port_ranges ({port}-{port}) has no free one either" in error


def test_a_port_of_the_system(project: Project) -> None:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 9))
        except PermissionError:
            pass
        else:
            pytest.skip("this user may listen on every port")
    project.declare(auth="fixed_ports = { http = 9 }")
    assert "port 9 (http) cannot be used: Permission denied. " in project.error(_RUN.format("dynamic_ports=False"))


def test_ranges_for_services_without_a_port(project: Project) -> None:
    first = free_port()
    project.declare(auth="", backend=f"fixed_ports = {{ http = {first} }}")
    error = project.error(_RUN.format(f"dynamic_ports=False, port_ranges=[({first}, {first})]"))
    assert f"no port for 'http': port_ranges ({first}-{first}) has no free one" in error


@pytest.mark.parametrize(
    ("ports", "message"),
    [
        ("{ admin = 8000 }", "fixed_ports names 'admin', which is none of its ports: http"),
        ("{ http = 70000 }", "fixed_ports.http = 70000; it is a whole number from 1 to 65535"),
        ("{ http = 20009 }\n[services.b]\nkind = 'executable'\ncommand = ['x']\nfixed_ports = { http = 20009 }", "which 'auth' has"),
    ],
)  # fmt: skip
def test_fixed_ports_that_are_none(project: Project, ports: str, message: str) -> None:
    (project.directory / "realservices.toml").write_text(
        f'[services.auth]\nkind = "executable"\ncommand = ["x"]\nfixed_ports = {ports}\n', encoding="utf-8"
    )
    assert message in project.error(_RUN.format("dynamic_ports=False"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("startup_timeout=0", "startup_timeout = 0; it is a number of seconds above 0"),
        ("dynamic_ports='yes'", "dynamic_ports = 'yes'; it is True or False"),
        ("port_ranges=[(9, 8)]", "port_ranges = (9, 8); it is a pair (first, last) of ports from 1 to 65535"),
    ],
)
def test_a_config_that_is_none(project: Project, config: str, message: str) -> None:
    assert f"LauncherConfig: {message}" in project.error(_RUN.format(config))


@pytest.mark.parametrize("value", ["yes", "2"])
def test_a_switch_that_is_none(project: Project, value: str) -> None:
    error = project.error(_RUN.format(""), DYNAMIC_PORTS=value)
    assert f"DYNAMIC_PORTS='{value}' is neither on nor off; write true, 1, false or 0, or unset it" in error
