"""Where rows lie, told from a table's file: as the server says it, whatever became of them, and without opening the table."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.control.client import BlockingServiceControl
from realservices.isolation.background import BackgroundLoop
from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.postgres.isolation.administration import connect_kwargs
from realservices.kinds.postgres.isolation.clone_pool import ClonePool
from realservices.kinds.postgres.isolation.restore.pages import UndecidedError
from realservices.kinds.postgres.isolation.restore.pristine import BY_OID, SETTINGS, Pristine, relation_of
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realservices.contract.runtime import Endpoint

_ROUNDS = 40
_TIMEOUT_S = 60
# Each is a transaction, or a few of them; {a} and {b} are rows.
_CHANGES = (
    "INSERT INTO t (a, b) SELECT g, repeat('x', 40) FROM generate_series({a}, {b}) g",
    "UPDATE t SET b = 'changed' WHERE a BETWEEN {a} AND {b}",
    "UPDATE t SET a = a + 1 WHERE a % 7 = {a} % 7",
    "DELETE FROM t WHERE a BETWEEN {a} AND {b}",
    "BEGIN; INSERT INTO t (a) VALUES ({a}); DELETE FROM t WHERE a > {b}; ROLLBACK",
    "BEGIN; SAVEPOINT s; INSERT INTO t (a) VALUES ({a}); ROLLBACK TO s; INSERT INTO t (a) VALUES ({b}); COMMIT",
    "BEGIN; SAVEPOINT s; DELETE FROM t WHERE a = {a}; RELEASE s; COMMIT",
    "BEGIN; SELECT FROM t WHERE a < {a} FOR UPDATE; COMMIT",
    "BEGIN; SELECT FROM t WHERE a < {b} FOR KEY SHARE; COMMIT",
    "BEGIN; SELECT FROM t FOR SHARE; SAVEPOINT s; UPDATE t SET b = 'locked' WHERE a = {a}; COMMIT",
    "VACUUM t",
    "VACUUM (FREEZE) t",
    "SELECT count(*) FROM t",
)


@pytest.fixture(scope="module")
def endpoint() -> Endpoint:
    """The service."""
    return find_services().endpoint("postgres")


@pytest.fixture
async def scratch(endpoint: Endpoint) -> AsyncIterator[dict[str, Any]]:
    """Arguments for a connection to an empty database."""
    administration = await asyncpg.connect(**connect_kwargs(endpoint, "postgres"))
    await administration.execute("CREATE DATABASE pages")
    try:
        yield connect_kwargs(endpoint, "pages")
    finally:
        await administration.execute("DROP DATABASE pages WITH (FORCE)")
        await administration.close()


@pytest.mark.parametrize("seed", range(3))
async def test_rows_lie_where_the_server_says(scratch: dict[str, Any], seed: int) -> None:
    rng = random.Random(seed)
    connection = await asyncpg.connect(**scratch, server_settings=SETTINGS)
    await connection.execute("CREATE TABLE public.t (a int, b text); SET search_path = public")
    decided = undecided = 0
    for _ in range(_ROUNDS):
        for change in rng.choices(_CHANGES, k=4):
            await connection.execute(change.format(a=(first := rng.randrange(300)), b=first + rng.randrange(100)))
        await connection.execute("CHECKPOINT")
        pristine = Pristine(scratch)
        (row,) = await connection.fetch(BY_OID, [await connection.fetchval("SELECT 't'::regclass::oid")])
        relation = relation_of({**row, "name": "public.t"})
        for block in range(relation.blocks):
            try:
                told = await pristine._places_in_file(relation, block, block + 1)
            except UndecidedError:
                undecided += 1
                continue
            decided += 1
            # It may set hints: not before the file was read.
            assert told == await pristine._places_in_table(relation, block, block + 1)
        await pristine.close()
    await connection.close()
    assert decided > undecided


async def test_what_is_restored_after_an_insert_leaves_the_copys_files_alone(endpoint: Endpoint) -> None:
    services = find_services()
    pid = BlockingServiceControl(services.control).status()[endpoint.name].pid
    background = BackgroundLoop()
    pool = ClonePool(endpoint, background, ReadyDatabases(endpoint, services.private))
    pool.expect(3)
    for _ in range(2):
        clone = await asyncio.wrap_future(pool.take())
        connection = await asyncpg.connect(**clone.connect_kwargs)
        await connection.execute("INSERT INTO parent (name) VALUES ('new')")
        path = await connection.fetchval("SELECT pg_relation_filepath('parent')")
        data = await connection.fetchval("SHOW data_directory")
        oids = dict(await connection.fetch("SELECT datname, oid FROM pg_database"))
        await connection.close()
        pool.give_back(clone, is_known=False)
    assert pool.findings() == []

    def links(database: str) -> int:
        """Return how many names a file has: one, if it was copied up from the template."""
        own = path.replace(f"/{oids[clone.name]}/", f"/{oids[database]}/")
        return os.stat(f"/proc/{pid}/root{data}/{own}").st_nlink

    found = links(clone.name), links("realservices_pristine")
    has_overlay = "overlay" in Path(f"/proc/{pid}/mounts").read_text(encoding="utf-8")
    pool.close(drop=True, timeout_s=_TIMEOUT_S)
    background.stop()
    if not has_overlay:
        pytest.skip("this server's data directory is a copy")
    assert found[0] == 1
    assert found[1] > 1
