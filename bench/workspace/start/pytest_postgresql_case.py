"""One test with pytest-postgresql's fixtures: a server of its own with the same migrations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pytest_postgresql import factories

server = factories.postgresql_proc(executable=os.environ["BENCH_PG_CTL"], load=[Path(os.environ["BENCH_MIGRATION"])])
connection = factories.postgresql("server")


def test_query(connection: Any) -> None:
    """Use the migrated schema once."""
    assert connection.execute("SELECT count(*) FROM customer").fetchone() == (0,)
