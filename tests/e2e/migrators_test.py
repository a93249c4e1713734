"""Projects of tests/migrators with the tools that make their schemas, in plain pytest: each tool is the real one."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.installed import Installed, pinned
from tests.scratch import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_PROJECTS = ROOT / "tests" / "migrators"
_THIRD_PARTY = ROOT / "third_party"
_GO_PROGRAMS = ("github.com/golang-migrate/migrate/v4/cmd/migrate", "github.com/pressly/goose/v3/cmd/goose")
# PostgreSQL alone.
_GO_TAGS = "postgres no_clickhouse no_libsql no_mssql no_mysql no_sqlite3 no_vertica no_ydb"
_TIMEOUT_S = 300


def _needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"this machine has no {program}")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The package, and the migrators that pip installs."""
    directory = tmp_path_factory.mktemp("installed")
    found = Installed(directory)
    found.install("-r", str(_THIRD_PARTY / "catalog" / "requirements.lock"))
    (directory / "dbmate.txt").write_text(pinned("dbmate"), encoding="utf-8")
    found.install("-r", str(directory / "dbmate.txt"))
    return found


def _project(directory: Path, name: str) -> Path:
    shutil.copytree(_PROJECTS / name, directory, dirs_exist_ok=True)
    shutil.copy(_PROJECTS / "seed.sql", directory)
    shutil.copy(_PROJECTS / "schema_test.py", directory)
    return directory


def _passes(installed: Installed, project: Path) -> None:
    path = os.pathsep.join([os.path.dirname(installed.python), str(project / "bin"), os.environ["PATH"]])
    done = installed.pytest(project, PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def _run(directory: Path, *command: str, **variables: str) -> None:
    done = subprocess.run(
        command,
        cwd=directory,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(path.parent.name for path in _PROJECTS.glob("*/pyproject.toml")))
def test_the_documentation_shows_what_runs(name: str) -> None:
    page = (ROOT / "docs" / "migrators.md").read_text("utf-8")
    lines = (_PROJECTS / name / "pyproject.toml").read_text("utf-8").splitlines()
    shown = [line for line in lines if line.startswith(("migrate", "inputs", "FLYWAY"))]
    assert len(shown) > 1
    assert [
        line for line in shown if (line if line.startswith("FLYWAY") else line.partition(" = ")[2]) not in page
    ] == []


@pytest.mark.parametrize("name", ["alembic", "django", "sqlalchemy_models", "dbmate"])
def test_from_pip(installed: Installed, tmp_path: Path, name: str) -> None:
    _passes(installed, _project(tmp_path, name))


@pytest.fixture(scope="module")
def go_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of the programs that go builds, of what go.sum pins."""
    directory = tmp_path_factory.mktemp("go")
    shutil.copytree(_THIRD_PARTY / "go_migrators", directory, dirs_exist_ok=True)
    options = ("-mod=readonly", "-trimpath", "-tags", _GO_TAGS, "-o", "bin/")
    _run(directory, "go", "build", *options, *_GO_PROGRAMS, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="")
    return directory / "bin"


@_needs("go")
@pytest.mark.parametrize("name", ["golang_migrate", "goose"])
def test_from_go(installed: Installed, go_programs: Path, tmp_path: Path, name: str) -> None:
    project = _project(tmp_path, name)
    (project / "bin").symlink_to(go_programs)
    _passes(installed, project)


@_needs("java")
@_needs("mvn")
def test_flyway_from_maven(installed: Installed, tmp_path: Path) -> None:
    project = _project(tmp_path, "flyway")
    pom = _THIRD_PARTY / "flyway" / "pom.xml"
    _run(
        tmp_path, "mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={project}/lib"
    )
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (project / "lib").iterdir()}
    lines = (_THIRD_PARTY / "flyway" / "sha256sums").read_text("utf-8").splitlines()
    assert found == {name: digest for digest, name in map(str.split, lines)}
    _passes(installed, project)


@_needs("npm")
def test_knex_from_npm(installed: Installed, tmp_path: Path) -> None:
    project = _project(tmp_path, "knex")
    shutil.copytree(_THIRD_PARTY / "knex", project, dirs_exist_ok=True)
    _run(project, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    _passes(installed, project)
