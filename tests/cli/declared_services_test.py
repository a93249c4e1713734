"""What `doctor` says of a project's own declaration, line by line; nothing is started."""

from __future__ import annotations

import importlib.metadata
import socket
from typing import TYPE_CHECKING

import pytest

from realservices.cli.checks.client_libraries import check_clients
from realservices.cli.checks.declared_services import check_project
from realservices.cli.checks.finding import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from realservices.cli.checks.finding import Finding

_DB = '[services.db]\nkind = "postgres"\n'


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's directory, on a machine with a PostgreSQL that has one extension."""
    server = tmp_path / "server"
    (server / "bin").mkdir(parents=True)
    for name in ("postgres", "initdb", "psql"):
        program = server / "bin" / name
        program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 17.2'\n", encoding="utf-8")
        program.chmod(0o755)
    (server / "share" / "extension").mkdir(parents=True)
    (server / "share" / "extension" / "citext.control").touch()
    monkeypatch.setenv("REALSERVICES_POSTGRES", str(server))
    monkeypatch.delenv("TEST_POSTGRES_HOST", raising=False)
    (tmp_path / "project" / "db").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def _found(project: Path, declared: str, **files: str) -> dict[str, Finding]:
    (project / "realservices.toml").write_text(declared, encoding="utf-8")
    for name, text in files.items():
        (project / "db" / f"{name}.sql").write_text(text, encoding="utf-8")
    return {finding.id: finding for finding in check_project()}


def test_a_project_that_declares_nothing(project: Path) -> None:
    found = _found(project, "")
    assert [*found] == ["project"]
    assert found["project"].found == f"{project} declares nothing: tests have an empty PostgreSQL and Redis"


def test_a_key_that_there_is_not(project: Path) -> None:
    found = _found(project, f"{_DB}migration = 'a.sql'\n")
    assert (found["project"].verdict, [*found]) == (Verdict.ERROR, ["project"])
    assert "'migration'" in found["project"].found


def test_a_service_that_would_start(project: Path) -> None:
    found = _found(
        project, f"{_DB}migrations = ['db/*.sql']\n", a="-- CREATE EXTENSION b;\nCREATE EXTENSION citext;", b=""
    )
    assert found["project"].found == f"{project}/realservices.toml declares db"
    assert found["project.db"].verdict is Verdict.OK
    assert found["project.db"].found == "postgres, 2 files of migrations"


@pytest.mark.parametrize(
    ("declared", "file", "words"),
    [
        (f"{_DB}migrations = ['no/*.sql']", "", "migrations = 'no/*.sql' matches no file below"),
        (f"{_DB}migrations = ['db/*.sql']", "-- migrate:down\n", "db/a.sql, line 1: '-- migrate:down' is a mark of dbmate's"),
        (f"{_DB}migrations = ['db/*.sql']", 'CREATE EXTENSION "vector";', "'vector' is not in this PostgreSQL; "),
        (f"{_DB}extensions = ['hstore']", "", "extensions wants an extension that is not there"),
        (f"{_DB}migrate = [['no-such', 'up']]\ninputs = ['db']", "", "migrate starts with 'no-such', which is no program"),
        ("[services.db]\nkind = 'executable'\ncommand = ['no-such']\n", "", "command starts with 'no-such', which is ne"),
    ],
)  # fmt: skip
def test_a_service_that_would_not(project: Path, declared: str, file: str, words: str) -> None:
    finding = _found(project, declared, a=file)["project.db"]
    assert finding.verdict is Verdict.ERROR
    assert words in finding.found


def test_a_server_that_is_not_there(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    finding = _found(project, "[services.a]\nkind = 'mariadb'\n")["project.a"]
    assert (finding.verdict, "TEST_MARIADB_HOST" in finding.remedy) == (Verdict.WARNING, True)


def test_a_server_of_others_needs_no_program(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_POSTGRES", "/nowhere")
    monkeypatch.setenv("TEST_POSTGRES_HOST", "127.0.0.1")
    assert _found(project, f"{_DB}migrations = ['db/*.sql']\n", a="")["project.db"].verdict is Verdict.OK
    assert _found(project, f"{_DB}migrations = ['no/*.sql']\n")["project.db"].verdict is Verdict.ERROR


def test_a_port_that_is_taken(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finding = _found(project, f"{_DB}fixed_ports = {{ postgres = {port} }}\n")["project.db.postgres"]
    assert finding.verdict is Verdict.WARNING
    assert finding.found.startswith(f"fixed_ports has postgres = {port}, and ")


def test_libraries_are_missed_where_the_project_needs_them(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    monkeypatch.setenv("PATH", "/nowhere")
    _found(project, "[services.a]\nkind = 'executable'\ncommand = ['a']\n")
    found = {finding.id: finding.verdict for finding in check_clients()}
    missed = {name.partition(".")[2] for name, verdict in found.items() if verdict is Verdict.WARNING}
    assert {"asyncpg", "httpx"} <= missed
    assert missed.isdisjoint({"websockets", "psutil"})
