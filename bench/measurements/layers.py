"""(m) What a schema of many migration files costs: all of them, and one more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from bench.bazel import Bazel
from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_ratios
from bench.workspace import cache_directory

LETTER = "m"
TITLE = "a schema of 500 migration files (whole builds of one target, with what Bazel itself takes)"
_FILES = 500
_BUILD = """load("@rules_realservices//rules:defs.bzl", "postgres_service")

postgres_service(name = "db", migrations = {migrations})
"""
# As projects write them: keys, checks, indexes, a trigger; each fifth file changes the table before.
_TABLE = """CREATE TABLE t{n} (
    id bigserial PRIMARY KEY, name text NOT NULL, email text UNIQUE, parent bigint {parent},
    amount numeric(12, 2) CHECK (amount >= 0), state text NOT NULL DEFAULT 'new',
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, payload jsonb
);
CREATE INDEX t{n}_state ON t{n} (state, created_at);
CREATE FUNCTION t{n}_touch() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON t{n} FOR EACH ROW EXECUTE FUNCTION t{n}_touch();
"""
_CHANGE = "ALTER TABLE t{n} ADD COLUMN extra text DEFAULT '';\nCREATE INDEX ON t{n} (extra);\n"
_EACH = 5


def measure(setting: Setting) -> Result:
    """Build a small file, one of all, all files but one, the last one, and one more; each round from the first on."""
    workspace = cache_directory().resolve() / "bench_layers"
    module = (setting.bazel.workspace / "MODULE.bazel").read_text(encoding="utf-8")
    for name in ("requirements.lock", "postgres_with_pg_ctl.bzl"):
        _write(workspace / name, (setting.bazel.workspace / name).read_text(encoding="utf-8"))
    _write(workspace / "MODULE.bazel", module)
    files = [_migration(number) for number in range(1, _FILES + 2)]
    for number, text in enumerate(files):
        _write(workspace / _name(number), text)
    bazel = setting.bazel.elsewhere(workspace)
    samples: dict[str, list[float]] = {
        f"{name}_s": [] for name in ("small", "one_file", "all_but_one", "last", "one_more")
    }
    _build(bazel, workspace, [_name(0)])  # Fetches, and builds the tool.
    for turn in range(setting.rounds(5, 1)):
        first = f"CREATE TABLE round_{time.time_ns()}_{turn} (id int);\n{files[0]}"
        _write(workspace / _name(0), first)
        _write(workspace / "all.sql", "".join([first, *files[1:_FILES]]))
        _write(workspace / "small.sql", first)
        names = [_name(number) for number in range(_FILES + 1)]
        samples["small_s"].append(_build(bazel, workspace, ["small.sql"]))
        samples["one_file_s"].append(_build(bazel, workspace, ["all.sql"]))
        for name, count in (("all_but_one_s", _FILES - 1), ("last_s", _FILES), ("one_more_s", _FILES + 1)):
            samples[name].append(_build(bazel, workspace, names[:count]))
    bazel.shutdown()
    return Result(LETTER, TITLE, _rows(samples), samples)


def _rows(samples: dict[str, list[float]]) -> list[Row]:
    whole = samples["all_but_one_s"]
    return [
        Row("a file of two tables has changed", samples["small_s"], "s"),
        Row("one file with the text of all: one psql", samples["one_file_s"], "s"),
        Row(f"{_FILES - 1} files / one file", paired_ratios(whole, samples["one_file_s"]), "x", bar=1.5),
        Row(f"file {_FILES} is appended / {_FILES - 1} files", paired_ratios(samples["last_s"], whole), "x", bar=0.2),
        Row(f"file {_FILES + 1}, which completes a layer / {_FILES - 1} files",
            paired_ratios(samples["one_more_s"], whole), "x"),
    ]  # fmt: skip


def _migration(number: int) -> str:
    if number % _EACH == 0:
        return _CHANGE.format(n=number - 1)
    return _TABLE.format(n=number, parent="" if number % _EACH == 1 else f"REFERENCES t{number - 1} ON DELETE CASCADE")


def _name(number: int) -> str:
    return f"db/{number:04}.sql"


def _build(bazel: Bazel, workspace: Path, migrations: Sequence[str]) -> float:
    """Build the service with these migrations; return the seconds that the command took."""
    _write(workspace / "BUILD.bazel", _BUILD.format(migrations=list(migrations)).replace("'", '"'))
    begin = time.monotonic()
    bazel.build(["//:db"])
    return time.monotonic() - begin


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
