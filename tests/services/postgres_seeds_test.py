"""A large seed: it streams through the tool, and its rows are stored once."""

from __future__ import annotations

from pathlib import Path

from realservices.schema.psql_scan import LARGEST_SCANNED_BYTES
from tests.services.template_tool import TemplateBuild

_ROW_BYTES = 1024
_ROWS = 2 * LARGEST_SCANNED_BYTES // _ROW_BYTES
_MOST_BYTES = LARGEST_SCANNED_BYTES * 3 // 2


def test_a_large_seed_streams_and_is_stored_once(tmp_path: Path) -> None:
    build = TemplateBuild(tmp_path, memory_bytes=_MOST_BYTES)
    build.migration("1.sql", "CREATE TABLE rows (id int, body text);\n")
    row = "x" * (_ROW_BYTES - 8)
    build.seed("2.sql", "COPY rows FROM stdin;\n" + "".join(f"{n}\t{row}\n" for n in range(_ROWS)) + "\\.\n")
    done = build.run()
    assert (done.returncode, done.stderr) == (0, "")
    rows_bytes = _ROWS * _ROW_BYTES
    assert rows_bytes < build.archive.stat().st_size < 1.5 * rows_bytes
    assert build.info["copy_size_bytes"] > 7 * rows_bytes


def test_a_service_that_begins_from_it_stores_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    base = TemplateBuild(tmp_path / "base").migration("1.sql", "CREATE TABLE rows (id int, body text);\n")
    base.seed("2.sql", "INSERT INTO rows SELECT n, repeat('x', 1000) FROM generate_series(1, 50000) n;\n")
    assert base.run().returncode == 0
    build = TemplateBuild(tmp_path).option("base", str(base.archive)).option("base-info", str(base.info_file))
    done = build.migration("3.sql", "ALTER TABLE rows ADD more int DEFAULT 1;\n").run()
    assert (done.returncode, done.stderr) == (0, "")
    assert build.archive.stat().st_size < base.archive.stat().st_size / 5
