"""A test that is no pytest's: it checks ClickHouse databases out by command, and asks them by the client on PATH."""

from __future__ import annotations

import subprocess
import sys

_COUNT = "SELECT count() FROM users"
_CHECKED_OUT = (sys.executable, "-I", __file__, "--checked-out")


def _ask(query: str) -> str:
    return subprocess.check_output(["clickhouse-client", "--query", query], text=True).strip()


def _use() -> None:
    """Be one test."""
    assert _ask(_COUNT) == "2", "another test has been here"
    _ask("INSERT INTO users VALUES (3, 'cat')")
    assert _ask(_COUNT) == "3"


def main() -> None:
    """Have three tests, one after another."""
    for _ in range(3):
        subprocess.run(["realservices-checkout", "events", "--", *_CHECKED_OUT], check=True)
    assert _ask(_COUNT) == "2", "the service's own database has what a test wrote"


if __name__ == "__main__":
    _use() if "--checked-out" in sys.argv else main()
