"""Take the mean memory of the instances of each kind after a few queries, with their clients still connected.

Proportional set size: a page that several processes share is divided among them, so the sum over a server's processes
is what the machine has less because of it (https://www.kernel.org/doc/html/latest/filesystems/proc.html). Pages of
program files count in it too, although all instances on a machine share them; they are also reported apart.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
from pathlib import Path
from typing import Any

import asyncpg
import redis.asyncio


async def main() -> None:
    """Use every service of the test, measure all at once, and write result.json among the undeclared outputs."""
    runtime = json.loads(Path(os.environ["REALSERVICES_RUNTIME"]).read_text(encoding="utf-8"))
    processes = pids(runtime["control"])
    use = {"postgres": _use_postgres, "redis": _use_redis}
    clients: list[Any] = [await use[service["kind"]](service) for service in runtime["services"].values()]
    samples: dict[str, list[float]] = {}
    for kind in use:
        taken = [memory_kb(processes[name]) for name, service in runtime["services"].items() if service["kind"] == kind]
        samples[f"{kind}_mb"] = [statistics.mean(memory_kb["Pss"] for memory_kb in taken) / 1024]
        samples[f"{kind}_files_mb"] = [statistics.mean(memory_kb["Pss_File"] for memory_kb in taken) / 1024]
    for client in clients:
        await client.aclose() if isinstance(client, redis.asyncio.Redis) else await client.close()
    result = Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"], "result.json")
    result.write_text(json.dumps({"samples": samples}), encoding="utf-8")


async def _use_postgres(service: dict[str, Any]) -> asyncpg.Connection:
    connection = await asyncpg.connect(service["url"])
    await connection.execute(
        "INSERT INTO customer (email, name) "
        "SELECT 'c' || n || '@example.com', 'Name ' || n FROM generate_series(1, 1000) n"
    )
    assert await connection.fetchval("SELECT count(*) FROM customer WHERE name LIKE 'Name 1%'") == 112
    await connection.fetch("SELECT * FROM revenue")
    return connection


async def _use_redis(service: dict[str, Any]) -> redis.asyncio.Redis:
    client = redis.asyncio.Redis.from_url(service["url"])
    for number in range(1000):
        await client.set(f"key:{number}", "value")
    return client


def pids(control: str) -> dict[str, int]:
    """Return each service's process id, by its name, from the launcher's control socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(control)
        connection.sendall(b'{"op": "status"}\n')
        with connection.makefile(encoding="utf-8") as answers:
            status = json.loads(answers.readline())
    return {name: service["pid"] for name, service in status["services"].items()}


# A process may end between one look and the next.
_ENDED = (FileNotFoundError, ProcessLookupError)


def memory_kb(pid: int) -> dict[str, int]:
    """Return the sums over a process and all below it."""
    total = {"Pss": 0, "Pss_File": 0}
    for each in _tree(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except _ENDED:
            continue
        fields = dict(line.split()[:2] for line in lines if line.startswith("Pss"))
        for name in total:
            total[name] += int(fields[f"{name}:"])
    return total


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except _ENDED:
        return []
    return [pid, *(found for child in children for found in _tree(int(child)))]


if __name__ == "__main__":
    asyncio.run(main())
