"""How much memory a session takes, after tests that commit, beside its template, which all sessions share.

That is what the server has written (a tmpfs, see statvfs) and its processes' proportional set size. The template lies
in shared memory as files; copies are hard links, counted once.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import probe
import pytest

_MB = 1 << 20


@pytest.mark.parametrize("number", range(30))
async def test_commits(number: int, isolated_database: Any) -> None:
    """Write, change and read as code under test would."""
    email = f"{number}@example.com"
    insert = "INSERT INTO customer (email, name) VALUES ($1, 'A') RETURNING id"
    customer = await isolated_database.fetchval(insert, email)
    await isolated_database.execute("UPDATE customer SET name = 'B' WHERE id = $1", customer)
    assert await isolated_database.fetchval("SELECT name FROM customer WHERE email = $1", email) == "B"


async def test_memory(isolated_database: Any) -> None:
    """Write result.json among the undeclared outputs."""
    runtime = json.loads(Path(os.environ["REALSERVICES_RUNTIME"]).read_text(encoding="utf-8"))
    (pid,) = probe.pids(runtime["control"]).values()
    data = await isolated_database.fetchval("SHOW data_directory")
    files = os.statvfs(f"/proc/{pid}/root{data}")
    sizes = {
        "session_mb": (files.f_blocks - files.f_bfree) * files.f_frsize / _MB + probe.memory_kb(pid)["Pss"] / 1024,
        "template_mb": _template_size(pid, data) / _MB,
    }
    result = Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"], "result.json")
    result.write_text(json.dumps({"samples": {name: [size] for name, size in sizes.items()}}), encoding="utf-8")


def _template_size(pid: int, data: str) -> int:
    """Return the size of the overlay's lower directory."""
    mounts = Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8").splitlines()
    (options,) = (line.split()[-1] for line in mounts if line.split()[4] == data)
    lower = next(option.partition("=")[2] for option in options.split(",") if option.startswith("lowerdir="))
    files = (path.lstat() for path in Path(lower).rglob("*"))
    return sum({status.st_ino: status.st_blocks * 512 for status in files}.values())
