from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from realservices.kinds.registry import find, names
from tests.host.ports import free_port

if TYPE_CHECKING:
    from tests.cli.development import Development

_SERVICES = """
[services.db]
kind = "postgres"
migrations = ["schema.sql"]
[services.cache]
kind = "redis"
[env]
PGHOST = "$(host db)"
SQLALCHEMY_URL = "$(url db psycopg)"
SETTINGS = "$(port cache)/$$x"
"""
_SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.fixture
def project(development: Development) -> Development:
    """A project with a schema and variables of its own."""
    development.with_servers()
    development.append(_SERVICES)
    (development.directory / "schema.sql").write_text("CREATE TABLE t ()", encoding="utf-8")
    return development


def _exec(project: Development, *words: str) -> subprocess.CompletedProcess[str]:
    return project.run("exec", *words)


def test_a_command_finds_the_services_and_says_how_it_ends(project: Development) -> None:
    done = _exec(project, "--", sys.executable, "-c", f"{_SHOW}; raise SystemExit(7)")
    assert done.returncode == 7, done.stderr
    found = json.loads(done.stdout)
    assert found["PGHOST"] == "127.0.0.1"
    assert found["SQLALCHEMY_URL"] == found["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
    assert found["SETTINGS"] == f"{found['TEST_REDIS_PORT']}/$x"
    assert done.stderr == ""


@pytest.mark.parametrize("kind", [kind for kind in names() if find(kind).program_variable])
def test_an_option_names_the_server_of_each_kind(development: Development, kind: str) -> None:
    development.append(f'[services.server]\nkind = "{kind}"\n')
    done = _exec(development, f"--{kind}=/no/such", "--service", "server", "--", "true")
    assert done.returncode == 1
    assert f"{find(kind).program_variable}=/no/such: " in done.stderr


def test_a_redis_that_asks_for_no_password(development: Development) -> None:
    development.with_servers()
    development.append('[services.cache]\nkind = "redis"\npassword = false\n')
    script = 'exec 3<>/dev/tcp/127.0.0.1/$TEST_REDIS_PORT && echo PING >&3 && head -1 <&3 && echo "$REDIS_URL,$TEST_REDIS_PORT"'
    done = _exec(development, "bash", "-c", script)
    assert done.returncode == 0, done.stderr
    answer, address = done.stdout.splitlines()
    assert answer == "+PONG"
    url, port = address.split(",")
    assert url == f"redis://127.0.0.1:{port}/0"


_PINNED = """
[services.cache]
kind = "redis"
password = false
fixed_ports = {{ redis = {cache} }}
[services.db]
kind = "postgres"
user = "postgres"
fixed_ports = {{ postgres = {db} }}
"""


def test_fixed_ports_are_had_by_option_alone(development: Development) -> None:
    development.with_servers()
    ports = {"cache": free_port(), "db": free_port()}
    development.append(_PINNED.format(**ports))
    show = ("--", sys.executable, "-c", "import os; print(os.environ['TEST_REDIS_PORT'], os.environ['DATABASE_URL'])")
    done = _exec(development, "--fixed-ports", *show)
    assert done.returncode == 0, done.stderr
    port, url = done.stdout.split()
    assert int(port) == ports["cache"]
    assert url.startswith("postgresql://postgres:")
    assert url.endswith(f"@127.0.0.1:{ports['db']}/test")
    done = _exec(development, *show)
    assert int(done.stdout.split()[0]) != ports["cache"]


def test_fixed_ports_that_nobody_declares(project: Development) -> None:
    done = _exec(project, "--fixed-ports", "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--fixed-ports, and none of db, cache declares a port: write fixed_ports = { NAME = PORT }" in done.stderr


def test_a_fixed_port_that_is_taken_is_told_and_nothing_runs(development: Development) -> None:
    development.with_servers()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        development.append(f'[services.cache]\nkind = "redis"\nfixed_ports = {{ redis = {port} }}\n')
        done = _exec(development, "--fixed-ports", "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"port {port} (redis) is taken by " in done.stderr
    assert "Here that is `exec` without --fixed-ports" in done.stderr


def test_the_schema_is_there_and_the_servers_are_gone_afterwards(project: Development) -> None:
    script = "exec 3<>/dev/tcp/127.0.0.1/$TEST_POSTGRES_PORT && echo $REALSERVICES_SESSION"
    done = _exec(project, "bash", "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert not Path(done.stdout.strip()).exists()


def test_only_what_is_named_is_started(project: Development) -> None:
    (project.directory / "realservices.toml").write_text(_SERVICES.partition("[env]")[0], encoding="utf-8")
    done = _exec(project, "--service", "cache", sys.executable, "-c", _SHOW)
    found = json.loads(done.stdout)
    assert "REDIS_URL" in found
    assert "DATABASE_URL" not in found


def test_what_cannot_be_run(project: Development) -> None:
    done = _exec(project, "--", "no-such-program")
    assert (done.returncode, done.stderr) == (
        127, "realservices exec: there is no program 'no-such-program', here or on PATH\n",
    )  # fmt: skip
    done = _exec(project, "--")
    assert (done.returncode, done.stderr) == (
        2, "realservices exec: no command; write it behind --, as in: exec -- npm test\n",
    )  # fmt: skip
    done = _exec(project, "--service", "other", "true")
    assert done.returncode == 1
    assert "realservices exec: no service 'other'" in done.stderr
    assert "there are db, cache" in done.stderr


def test_a_schema_that_is_refused_is_told_and_nothing_runs(project: Development) -> None:
    (project.directory / "schema.sql").write_text("CREATE TABLE t (", encoding="utf-8")
    done = _exec(project, "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert "schema.sql" in done.stderr


def test_signals_are_the_commands(project: Development) -> None:
    script = "import signal, sys; signal.signal(15, lambda *_: sys.exit(9)); print('here', flush=True); signal.pause()"
    command = project.command("exec", "--", sys.executable, "-c", script)
    with subprocess.Popen(
        command, cwd=project.directory, env=project.environment, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "here\n"
        running.send_signal(signal.SIGINT)  # A terminal would have sent it to the command, too.
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 9
    assert _exec(project, "sh", "-c", "kill -KILL $$").returncode == 128 + 9


def test_a_service_that_dies_meanwhile_is_told(project: Development) -> None:
    script = (
        "import os, signal, time; from pathlib import Path\n"
        "directory = Path(os.environ['REALSERVICES_SESSION'])\n"
        "for path in Path('/proc').glob('[0-9]*/cmdline'):\n"
        "    words = path.read_bytes()\n"
        "    if b'redis-server' in words and os.environ['TEST_REDIS_PORT'].encode() in words:\n"
        "        os.kill(int(path.parent.name), signal.SIGKILL)\n"
        "        time.sleep(0.5)\n"
    )
    done = _exec(project, sys.executable, "-c", script)
    assert done.returncode == 0
    assert "service 'cache'" in done.stderr
    assert "SIGKILL" in done.stderr


def test_python_is_that_of_the_active_environment(project: Development, tmp_path: Path) -> None:
    venv.create(tmp_path / "active")
    server = (
        "import http.server, os, sys; s = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), "
        "http.server.BaseHTTPRequestHandler); open('python', 'w').write(sys.prefix); s.serve_forever()"
    )
    project.append(f"""
[services.server]
kind = "executable"
command = ["{{python}}", "-c", "{server}", "$(port)"]
""")
    project.environment["VIRTUAL_ENV"] = str(tmp_path / "active")
    done = _exec(project, "cat", "python")
    assert (done.returncode, done.stdout) == (0, str(tmp_path / "active")), done.stderr
    done = _exec(project, "--python", os.path.realpath(sys.executable), "cat", "python")
    assert done.stdout == sys.base_prefix, done.stderr
