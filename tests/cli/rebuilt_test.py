"""`validate --reproducible`: what it says of templates that are built twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.command import Outcome, run
from tests.host import places

if TYPE_CHECKING:
    from pathlib import Path

_POSTGRES = '[tool.realservices.services.db]\nkind = "postgres"\nmigrations = ["schema.sql"]\nseeds = ["seed.sql"]\n'
_CLICKHOUSE = '[tool.realservices.services.olap]\nkind = "clickhouse"\nschema = ["schema.sql"]\nseeds = ["seed.sql"]\n'
_MARIADB = '[tool.realservices.services.shop]\nkind = "mariadb"\nmigrations = ["schema.sql"]\nseeds = ["seed.sql"]\n'
_TABLE = "CREATE TABLE orders (id int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp());\n"
_ROWS = "INSERT INTO orders VALUES (1, '2020-01-01');\n"


def _validate(directory: Path, declaration: str, schema: str, seed: str, *options: str) -> Outcome:
    (directory / "pyproject.toml").write_text(declaration, encoding="utf-8")
    (directory / "schema.sql").write_text(schema, encoding="utf-8")
    (directory / "seed.sql").write_text(seed, encoding="utf-8")
    env = {
        "BUILD_WORKING_DIRECTORY": str(directory),
        "REALSERVICES_POSTGRES": str(places.postgres_distribution()),
        "REALSERVICES_CLICKHOUSE": str(places.clickhouse_server()),
        "REALSERVICES_MARIADB": str(places.mariadb_server()),
    }
    return run("validate", "--reproducible", *options, env=env)


def test_the_same_bytes(tmp_path: Path) -> None:
    outcome = _validate(tmp_path, _POSTGRES, _TABLE, _ROWS)
    assert (outcome.code, outcome.output.splitlines()[0].split("  ")[-1]) == (0, "built twice: the same bytes"), (
        outcome.output
    )


def test_the_row_with_the_time_is_shown_with_the_remedy(tmp_path: Path) -> None:
    seed = _ROWS + "INSERT INTO orders VALUES (7);\n"
    outcome = _validate(tmp_path, _POSTGRES, _TABLE, seed, "--json")
    content = outcome.content
    (step,) = content["steps"]
    assert (outcome.code, content["verdict"], step["id"], step["state"]) == (1, "error", "db", "failed")
    lines = step["detail"].splitlines()
    assert lines[0] == "built twice, it differs in orders, row 2:"
    assert lines[1].startswith('    (7,"') and lines[2].startswith('    (7,"')  # noqa: PT018 - two rows of one kind
    assert lines[1] != lines[2]
    assert lines[3].startswith("  a migration or a seed writes the time or a random value there: now(), random(),")


def test_a_roles_password_is_told(tmp_path: Path) -> None:
    output = _validate(tmp_path, _POSTGRES, _TABLE + "CREATE ROLE app PASSWORD 'x';\n", _ROWS).output
    assert "it differs in roles and their passwords, row " in output
    assert "PostgreSQL draws a salt for each password" in output


def test_a_random_sample_is_told(tmp_path: Path) -> None:
    seed = "INSERT INTO orders SELECT n, '2020-01-01'::timestamptz + n * n * '1 s'::interval FROM generate_series(1, 40000) n;"
    output = _validate(tmp_path, _POSTGRES, _TABLE, seed).output
    assert "it differs in statistics of orders, row " in output
    assert "the planner looks at a random sample" in output


def test_the_remedy_for_a_random_sample_helps(tmp_path: Path) -> None:
    seed = (
        "ALTER TABLE orders ALTER COLUMN id SET STATISTICS 200;"
        "INSERT INTO orders SELECT n, '2020-01-01'::timestamptz + n * n * '1 s'::interval FROM generate_series(1, 40000) n;"
    )
    outcome = _validate(tmp_path, _POSTGRES, _TABLE, seed)
    assert outcome.code == 0, outcome.output


def test_what_is_in_no_table_is_told_by_its_file(tmp_path: Path) -> None:
    schema = _TABLE + "DO $$ BEGIN EXECUTE format('CREATE TYPE %I AS ENUM ()', 'type' || random()); END $$;\n"
    output = _validate(tmp_path, _POSTGRES, schema, _ROWS).output
    assert "built twice, it differs in base/" in output
    assert "a definition with a random name" in output


def test_what_cannot_be_built_is_told(tmp_path: Path) -> None:
    outcome = _validate(tmp_path, _POSTGRES, "CREATE TABEL orders;", _ROWS)
    assert (outcome.code, "PostgreSQL refused migration" in outcome.output) == (1, True), outcome.output


def test_a_project_without_databases_is_told_so(tmp_path: Path) -> None:
    outcome = _validate(tmp_path, "", _TABLE, _ROWS, "--json")
    (step,) = outcome.content["steps"]
    assert (outcome.code, step["state"], step["detail"]) == (
        0,
        "missing",
        f"{tmp_path} declares no service that has one",
    )


def test_a_row_of_clickhouse_is_shown(tmp_path: Path) -> None:
    schema = "CREATE TABLE orders (id Int32, at DateTime64(9)) ENGINE = MergeTree ORDER BY id;"
    outcome = _validate(tmp_path, _CLICKHOUSE, schema, "INSERT INTO orders SELECT 1, now64(9);")
    assert (outcome.code, "it differs in test.orders, row 1:" in outcome.output) == (1, True), outcome.output


def test_a_mariadb_has_the_same_bytes(tmp_path: Path) -> None:
    outcome = _validate(
        tmp_path, _MARIADB, "CREATE TABLE orders (id INT PRIMARY KEY);", "INSERT INTO orders VALUES (1);"
    )
    assert (outcome.code, "built twice: the same bytes" in outcome.output) == (0, True), outcome.output


def test_a_row_of_mariadb_is_shown(tmp_path: Path) -> None:
    schema = "CREATE TABLE orders (id INT PRIMARY KEY, at DATETIME(6));"
    seed = "INSERT INTO orders VALUES (1, '2020-01-01'), (2, NOW(6));"
    outcome = _validate(tmp_path, _MARIADB, schema, seed)
    assert (outcome.code, "it differs in orders, row 2:" in outcome.output) == (1, True), outcome.output
    assert "rand(1) in MariaDB" in outcome.output
