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
    from collections.abc import Iterator
    from pathlib import Path

_PROJECTS = ROOT / "tests" / "migrators"
_THIRD_PARTY = ROOT / "third_party"
_GO_PROGRAMS = ("github.com/golang-migrate/migrate/v4/cmd/migrate", "github.com/pressly/goose/v3/cmd/goose")
# PostgreSQL alone.
_GO_TAGS = "postgres no_clickhouse no_libsql no_mssql no_mysql no_sqlite3 no_vertica no_ydb"
# Where the page shows them one by one.
_VARIABLES = ("FLYWAY", "LIQUIBASE")
# What comes with Liquibase, but not from Maven.
_LIQUIBASE = """#!/bin/sh
exec java -cp "$(dirname "$0")/../lib/*" liquibase.integration.commandline.LiquibaseCommandLine "$@"
"""
_TIMEOUT_S = 300


def _needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"this machine has no {', '.join(missing)}")


class _Preparation:
    """A tool of another language, being built or fetched in a directory of its own while other things happen."""

    def __init__(self, directory: Path, pins: str, *command: str, **variables: str) -> None:
        shutil.copytree(_THIRD_PARTY / pins, directory, dirs_exist_ok=True)
        self._directory = directory
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def directory(self) -> Path:
        """Return the directory when all is there."""
        output, _ = self.process.communicate(timeout=_TIMEOUT_S)
        assert self.process.returncode == 0, output
        return self._directory


@pytest.fixture(scope="module")
def preparations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, _Preparation]]:
    """What this machine's tools of other languages prepare, all at once."""
    new = tmp_path_factory.mktemp
    go_options = ("-mod=readonly", "-trimpath", "-tags", _GO_TAGS, "-o", "bin/")
    started = {}
    if shutil.which("go"):
        own = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
        started["go"] = _Preparation(new("go"), "go_migrators", "go", "build", *go_options, *_GO_PROGRAMS, **own)
    if shutil.which("mvn"):
        copy = ("dependency:copy-dependencies", "-DoutputDirectory=lib")
        started["mvn"] = _Preparation(new("mvn"), "java_migrators", "mvn", "-B", "-q", *copy)
    if shutil.which("npm"):
        options = ("--ignore-scripts", "--no-audit", "--no-fund")
        started["npm"] = _Preparation(new("npm"), "knex", "npm", "ci", *options)
    yield started
    for each in started.values():
        with each.process:
            each.process.kill()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, preparations: dict[str, _Preparation]) -> Installed:
    """The package, and the migrators that pip installs."""
    assert preparations is not None
    directory = tmp_path_factory.mktemp("installed")
    locks = [_THIRD_PARTY / name / "requirements.lock" for name in ("python", "catalog")]
    return Installed(directory, *locks, requirements=(pinned("dbmate"),))


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


@pytest.mark.parametrize("name", sorted(path.parent.name for path in _PROJECTS.glob("*/pyproject.toml")))
def test_the_documentation_shows_what_runs(name: str) -> None:
    page = (ROOT / "docs" / "migrators.md").read_text("utf-8")
    lines = (_PROJECTS / name / "pyproject.toml").read_text("utf-8").splitlines()
    shown = [line for line in lines if line.startswith(("migrate", "inputs", *_VARIABLES))]
    assert len(shown) > 1
    assert [
        line for line in shown if (line if line.startswith(_VARIABLES) else line.partition(" = ")[2]) not in page
    ] == []


@pytest.mark.parametrize("name", ["alembic", "django", "sqlalchemy_models", "dbmate"])
def test_from_pip(installed: Installed, tmp_path: Path, name: str) -> None:
    _passes(installed, _project(tmp_path, name))


@_needs("go")
@pytest.mark.parametrize("name", ["golang_migrate", "goose"])
def test_from_go(installed: Installed, go: Path, tmp_path: Path, name: str) -> None:
    project = _project(tmp_path, name)
    (project / "bin").symlink_to(go / "bin")
    _passes(installed, project)


@pytest.fixture(scope="module")
def go(preparations: dict[str, _Preparation]) -> Path:
    """Directory of what go has built, of what go.sum pins."""
    return preparations["go"].directory()


@pytest.fixture(scope="module")
def jars(preparations: dict[str, _Preparation]) -> Path:
    """Directory of what Maven has fetched, which is what is pinned."""
    found = preparations["mvn"].directory() / "lib"
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found.iterdir()}
    lines = (_THIRD_PARTY / "java_migrators" / "sha256sums").read_text("utf-8").splitlines()
    assert digests == {name: digest for digest, name in map(str.split, lines)}
    return found


@_needs("java", "mvn")
@pytest.mark.parametrize("name", ["flyway", "liquibase"])
def test_from_maven(installed: Installed, jars: Path, tmp_path: Path, name: str) -> None:
    project = _project(tmp_path, name)
    (project / "lib").symlink_to(jars)
    (project / "bin").mkdir()
    (project / "bin" / "liquibase").write_text(_LIQUIBASE, encoding="utf-8")
    (project / "bin" / "liquibase").chmod(0o755)
    _passes(installed, project)


@_needs("npm")
def test_knex_from_npm(installed: Installed, preparations: dict[str, _Preparation], tmp_path: Path) -> None:
    project = _project(tmp_path, "knex")
    shutil.copytree(preparations["npm"].directory(), project, symlinks=True, dirs_exist_ok=True)
    _passes(installed, project)
