"""Add up the memory of each service's processes after a few queries, with the client still connected.

Proportional set size: a page that several processes share is divided among them, so the sum over a server's processes
is what the machine has less because of it (https://www.kernel.org/doc/html/latest/filesystems/proc.html). Pages of
program files count in it too, although all instances on a machine share them; they are also reported apart.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import asyncpg
import redis


def main() -> None:
    """Use the services, measure, and write result.json among the undeclared outputs."""
    runtime = json.loads(Path(os.environ["REALSERVICES_RUNTIME"]).read_text(encoding="utf-8"))
    pids = _pids(runtime["control"])
    postgres_kb = asyncio.run(_postgres(runtime["services"]["db"], pids["db"]))
    redis_kb = _redis(runtime["services"]["cache"], pids["cache"])
    samples = {}
    for name, memory_kb in (("postgres", postgres_kb), ("redis", redis_kb)):
        samples[f"{name}_mb"] = [memory_kb["Pss"] / 1024]
        samples[f"{name}_files_mb"] = [memory_kb["Pss_File"] / 1024]
    result = Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"], "result.json")
    result.write_text(json.dumps({"samples": samples}), encoding="utf-8")


async def _postgres(service: dict[str, Any], pid: int) -> dict[str, int]:
    connection = await asyncpg.connect(service["url"])
    await connection.execute(
        "INSERT INTO customer (email, name) "
        "SELECT 'c' || n || '@example.com', 'Name ' || n FROM generate_series(1, 1000) n"
    )
    assert await connection.fetchval("SELECT count(*) FROM customer WHERE name LIKE 'Name 1%'") == 112
    await connection.fetch("SELECT * FROM revenue")
    taken = _memory_kb(pid)
    await connection.close()
    return taken


def _redis(service: dict[str, Any], pid: int) -> dict[str, int]:
    with redis.Redis.from_url(service["url"]) as client:
        for number in range(1000):
            client.set(f"key:{number}", "value")
        return _memory_kb(pid)


def _pids(control: str) -> dict[str, int]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(control)
        connection.sendall(b'{"op": "status"}\n')
        with connection.makefile(encoding="utf-8") as answers:
            status = json.loads(answers.readline())
    return {name: service["pid"] for name, service in status["services"].items()}


def _memory_kb(pid: int) -> dict[str, int]:
    """Return the sums over a process and all below it."""
    total = {"Pss": 0, "Pss_File": 0}
    for each in _tree(pid):
        lines = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii").splitlines()
        fields = dict(line.split()[:2] for line in lines if line.startswith("Pss"))
        for name in total:
            total[name] += int(fields[f"{name}:"])
    return total


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(found for child in children for found in _tree(int(child)))]


if __name__ == "__main__":
    main()
