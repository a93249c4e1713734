"""The package as `pip install` brings it: a fresh environment, no Bazel, the same test files."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from realservices.kinds.postgres.sources.npm_package import NPM_PACKAGES, NPM_VERSION
from tests.e2e.installed import Installed
from tests.e2e.left_behind import left_behind
from tests.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEADLINE_S = 20.0
_ALL = 36
# What runs services until its standard input ends, and says where they are.
_HOLDER = """
import asyncio, json, os, sys
from realservices.real_services import get_real_services
asyncio.run(get_real_services().ensure_all_services_available())
print(json.dumps({name: os.environ[name] for name in os.environ if name.startswith("TEST_")}), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The package, installed once."""
    return Installed(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with no conftest.py and no configuration."""
    text = (ROOT / "tests" / "isolation" / "test_pairs.py").read_text(encoding="utf-8")
    (tmp_path / "test_pairs.py").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def running(installed: Installed, project: Path) -> Iterator[dict[str, str]]:
    """Services that somebody else runs, and the variables that name them."""
    command = [installed.python, "-c", _HOLDER]
    with subprocess.Popen(
        command, cwd=project, env=installed.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        yield json.loads(holder.stdout.readline())
        holder.communicate(timeout=_DEADLINE_S)


@pytest.mark.parametrize("workers", [0, 4])
def test_the_same_tests_pass(installed: Installed, project: Path, workers: int) -> None:
    before = left_behind()
    done = installed.pytest(project, *([f"-n{workers}"] if workers else []))
    assert f"{_ALL} passed" in done.stdout, done.stdout + done.stderr
    assert left_behind() <= before


@pytest.mark.parametrize("workers", [0, 4])
def test_the_same_tests_pass_on_servers_of_others(
    installed: Installed, project: Path, running: dict[str, str], workers: int
) -> None:
    done = installed.pytest(project, *([f"-n{workers}"] if workers else []), **running)
    assert f"{_ALL} passed" in done.stdout, done.stdout + done.stderr


def test_sessions_at_once_on_servers_of_others(installed: Installed, project: Path, running: dict[str, str]) -> None:
    command = [installed.python, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error"]
    environment = installed.environment | running
    sessions = [
        subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for session in sessions:
        output, _ = session.communicate(timeout=300)
        assert f"{_ALL} passed" in output, output


def test_a_killed_session_leaves_nothing(installed: Installed, project: Path) -> None:
    (project / "test_pairs.py").write_text(
        "import os, signal\n"
        "async def test_end(isolated_database, isolated_redis):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n",
        encoding="utf-8",
    )
    before = left_behind()
    assert installed.pytest(project).returncode == -9
    deadline = time.monotonic() + _DEADLINE_S
    while not left_behind() <= before and time.monotonic() < deadline:
        Event().wait(0.01)
    assert left_behind() <= before


def test_pytest_rewrites_none_of_our_modules_and_nothing_in_our_threads(installed: Installed, project: Path) -> None:
    (project / "pytest.ini").write_text("[pytest]\npython_files = *.py\n", encoding="utf-8")
    (project / "conftest.py").write_text(
        "import sys, threading\n"
        "from pathlib import Path\n"
        "parsing = []\n"
        "def pytest_configure(config):\n"
        "    sys.addaudithook(note)\n"
        "def note(event, arguments):\n"
        "    if event == 'compile' and threading.current_thread() is not threading.main_thread():\n"
        "        parsing.extend(name for name in (str(arguments[1]),) if name.endswith('.py'))\n"
        "def pytest_unconfigure(config):\n"
        "    hook = type(config.pluginmanager.rewrite_hook)\n"
        "    loaded = [name for name, module in sys.modules.items() if isinstance(getattr(module, '__loader__', 0), hook)]\n"
        "    ours = sorted(name for name in loaded if name.startswith('realservices'))\n"
        "    Path('rewritten').write_text(repr((ours, parsing)))\n",
        encoding="utf-8",
    )
    done = installed.pytest(project, PYTHONDONTWRITEBYTECODE="1")
    assert f"{_ALL} passed" in done.stdout, done.stdout + done.stderr
    ours, parsing = ast.literal_eval((project / "rewritten").read_text(encoding="utf-8"))
    assert ours == [f"realservices{name}" for name in ("", ".fixtures", ".fixtures.plugin", ".fixtures.unrewritten")]
    assert parsing == []


@pytest.mark.skipif(shutil.which("npm") is None, reason="this machine has no npm")
def test_what_is_fetched_is_what_bazel_pins_and_is_in_the_server(installed: Installed, project: Path) -> None:
    pins = (ROOT / "third_party" / "postgres" / "npm_versions.bzl").read_text(encoding="utf-8")
    assert f'version = "{NPM_VERSION}"' in pins
    for name, integrity in NPM_PACKAGES.values():
        assert f'"{name}"' in pins
        assert f'"{integrity}"' in pins
    done = installed.run("-m", "realservices", "fetch")
    assert done.returncode == 0, done.stderr
    (project / "pyproject.toml").write_text(
        '[tool.realservices.services.db]\nkind = "postgres"\nextensions = ["pgcrypto", "uuid-ossp"]\n', encoding="utf-8"
    )
    (project / "test_pairs.py").write_text(
        "async def test_it(isolated_database):\n"
        "    hashed = await isolated_database.fetchval(\"SELECT crypt('a', gen_salt('bf', 4))\")\n"
        "    assert await isolated_database.fetchval('SELECT crypt($1, $2) = $2', 'a', hashed)\n"
        "    assert await isolated_database.fetchval('SELECT uuid_generate_v1() <> uuid_generate_v1()')\n",
        encoding="utf-8",
    )
    done = installed.pytest(project)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("npm") is None, reason="this machine has no npm")
def test_a_server_with_icu_is_fetched_where_it_is_wanted(installed: Installed, project: Path) -> None:
    (project / "schema.sql").write_text(
        "CREATE EXTENSION pgcrypto; CREATE EXTENSION vector;\n"
        "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);\n"
        "CREATE TABLE users (name text COLLATE any_case UNIQUE);\n",
        encoding="utf-8",
    )
    (project / "pyproject.toml").write_text(
        '[tool.realservices.services.db]\nkind = "postgres"\nmigrations = ["schema.sql"]\n', encoding="utf-8"
    )
    (project / "test_pairs.py").write_text(
        "async def test_it(isolated_database):\n"
        "    await isolated_database.execute(\"INSERT INTO users VALUES ('Ada')\")\n"
        "    assert await isolated_database.fetchval(\"SELECT count(*) FROM users WHERE name = 'aDA'\") == 1\n",
        encoding="utf-8",
    )
    done = installed.pytest(project)
    assert "in plain pytest `python -m realservices fetch --icu`" in done.stdout + done.stderr
    fetched = installed.run("-m", "realservices", "fetch", "--icu")
    assert fetched.returncode == 0, fetched.stderr
    (named,) = re.findall(r"^export REALSERVICES_POSTGRES=(.*)$", fetched.stdout, re.MULTILINE)
    done = installed.pytest(project, REALSERVICES_POSTGRES=named)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_project_that_uses_none_of_it_loads_none_of_it(installed: Installed, project: Path) -> None:
    (project / "test_pairs.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    assert not {'asyncpg', 'redis', 'httpx', 'websockets'} & set(sys.modules)\n"
        "    folders = tuple(f'realservices.{name}.' for name in ('clients', 'host', 'isolation', 'services'))\n"
        "    assert not [name for name in sys.modules if name.startswith(folders)]\n"
        "    assert not {'realservices.fixtures.protocol', 'realservices.sources.services'} & set(sys.modules)\n",
        encoding="utf-8",
    )
    done = installed.pytest(project)
    assert "1 passed" in done.stdout, done.stdout


def test_a_kind_that_nothing_starts_names_the_command_to_run(installed: Installed, project: Path) -> None:
    (project / "test_pairs.py").write_text("async def test_it(isolated_redis): pass\n", encoding="utf-8")
    hide = "import importlib.metadata as m\nf = m.distribution\ndef d(name):\n    if 'falkor' in name:\n"
    hide += "        raise m.PackageNotFoundError(name)\n    return f(name)\nm.distribution = d\n"
    (project / "conftest.py").write_text(hide, encoding="utf-8")
    done = installed.pytest(project, "-rs", PATH="/nonexistent")
    assert "1 skipped" in done.stdout, done.stdout
    assert "pip install 'rules-realservices[redis]'" in done.stdout.replace("\n", "")
    done = installed.pytest(project, PATH="/nonexistent", REALSERVICES_REQUIRE="1")
    assert "1 error" in done.stdout, done.stdout
