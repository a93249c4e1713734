"""A PostgreSQL whose programs come in an archive, as remote workers get them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realservices.kinds.postgres.template import programs as programs_archive
from tests.host import places
from tests.host.real_root import needs_all_ids
from tests.launcher.launched import ANSWERS, QUERY_AT_ONCE, Launched, postgres, redis


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with programs.tar and programs.json."""
    directory = tmp_path_factory.mktemp("programs")
    distribution = places.postgres_distribution()
    root = distribution.parent.parent
    options = [
        "--root", str(root), "--output", str(directory / "programs.tar"), "--info", str(directory / "programs.json"),
    ]  # fmt: skip
    # What its clients load lies beside it.
    libraries = [str(path) for path in root.glob("*.libs")]
    assert programs_archive.main([*options, str(distribution), *libraries]) == 0
    return directory


def _packed_postgres() -> dict[str, Any]:
    entry = postgres()
    inner = places.postgres_distribution().relative_to(places.postgres_distribution().parent.parent)
    entry["config"] |= {
        "distribution": str(inner),
        "distribution_archive": "programs/programs.tar",
        "distribution_info": "programs/programs.json",
    }
    return entry


def _run(tmp_path: Path, template: Path, packed: Path, entry: dict[str, Any], enclosure: list[str]) -> tuple[int, str]:
    launched = Launched(
        tmp_path / "run", [entry, redis()], template=template, script=QUERY_AT_ONCE, enclosure=enclosure
    )
    (launched.runfiles / "programs").symlink_to(packed)
    with launched:
        code = launched.wait()
        return code, launched.output


@pytest.mark.parametrize(
    "enclosure",
    [["--uid", "65534"], ["--uid", "0"], ["--uid", "1000", "--no-user-namespaces"], ["--all-ids", "--container"]],
    ids=["nobody", "root", "without namespaces", "container"],
)
def test_the_server_runs_from_the_archive(tmp_path: Path, template: Path, packed: Path, enclosure: list[str]) -> None:
    if "--all-ids" in enclosure:
        needs_all_ids()
    # Nothing is unpacked yet there.
    private = ["--ipc", "--tmpfs", "/dev/shm"]
    assert _run(tmp_path, template, packed, _packed_postgres(), enclosure + private) == (0, ANSWERS)


def test_clients_on_path_are_those_of_the_archive(tmp_path: Path, template: Path, packed: Path) -> None:
    script = '#!/bin/sh\npsql -XAtqc "SELECT name FROM items" "$DATABASE_URL"; readlink -f "$(command -v psql)"\n'
    launched = Launched(
        tmp_path / "run", [_packed_postgres()], template=template, script=script, on_path=["psql", "pg_dump"]
    )
    (launched.runfiles / "programs").symlink_to(packed)
    with launched:
        assert launched.wait() == 0, launched.output
    rows, program = launched.output.split()
    assert rows == "seeded"
    assert "/templates/" in program


def test_a_damaged_archive_is_named(tmp_path: Path, template: Path, packed: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "programs.tar").write_bytes((packed / "programs.tar").read_bytes()[:100_000])
    (damaged / "programs.json").write_bytes((packed / "programs.json").read_bytes())
    code, output = _run(tmp_path, template, damaged, _packed_postgres(), ["--ipc", "--tmpfs", "/dev/shm"])
    assert code == 1
    assert "programs.tar" in output
    assert "truncated" in output


def test_a_description_that_says_something_else_is_named(tmp_path: Path, template: Path, packed: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "programs.tar").symlink_to(packed / "programs.tar")
    (damaged / "programs.json").write_text(json.dumps({"size_bytes": 1}))
    code, output = _run(tmp_path, template, damaged, _packed_postgres(), ["--uid", "1000"])
    assert code == 1
    assert "service 'db' (//app:db): cannot read" in output
    assert "archive_digest" in output


def test_a_directory_that_arrives_empty_on_a_remote_worker_is_told(tmp_path: Path, template: Path) -> None:
    entry = postgres()
    entry["config"]["distribution"] = "postgres/empty"
    with Launched(tmp_path / "run", [entry], template=template, script=QUERY_AT_ONCE) as launched:
        assert launched.wait() == 1
    assert "service 'db' (//app:db): there is no " in launched.output
    assert "/postgres/empty/bin/postgres; a remote worker gets nothing by the label of a directory" in launched.output
    assert "--@rules_realservices//rules:remote" in launched.output
