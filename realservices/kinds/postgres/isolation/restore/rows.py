"""Find and undo what changed in tables: rows that are newer than the start go, old ones come from the pristine copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.kinds.postgres.isolation.restore.known_types import as_texts, at_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import asyncpg

    from realservices.kinds.postgres.isolation.restore.pristine import Place, Relation, RowSource

# More ranges than this are asked for as one: a statement's text must not grow with what was written.
_MOST_RANGES = 32
_BLOCK_LIMIT = 2**32 - 1


class MovedRows:
    """Where old rows of one table lie that were restored: no longer where the pristine copy has them."""

    def __init__(self) -> None:
        self._now: dict[Place, Place] = {}

    def expected(self, places: Iterable[Place], blocks: set[int]) -> dict[Place, Place]:
        """Return where rows are expected in some blocks, with where the copy has each.

        Args:
            places: Where the copy has rows in these blocks.
            blocks: Their numbers.
        """
        found = {place: place for place in places if place not in self._now}
        found |= {now: origin for origin, now in self._now.items() if now[0] in blocks}
        return found

    def move(self, origin: Place, now: Place) -> None:
        """Note where a row lies from now on."""
        self._now[origin] = now


def ranges(blocks: Iterable[int]) -> list[tuple[int, int]]:
    """Return blocks as ranges: the first one, and the one after the last."""
    found: list[list[int]] = []
    for block in sorted(blocks):
        if found and found[-1][1] == block:
            found[-1][1] = block + 1
        else:
            found.append([block, block + 1])
    if len(found) > _MOST_RANGES:
        found = [[found[0][0], found[-1][1]]]
    return [(first, end) for first, end in found]


def conditions(blocks: Iterable[int]) -> Iterator[str]:
    """Yield the condition on ctid for each range of blocks; PostgreSQL scans no others for one range."""
    for first, end in ranges(blocks):
        upper = f" AND ctid < '({end},0)'" if end < _BLOCK_LIMIT else ""
        yield f"ctid >= '({first},0)'{upper}"


def newer(since: int, own: int = 0) -> str:
    """Return the condition on rows that were written since.

    Args:
        since: By this transaction or a later one.
        own: But not by this one, which restored.
    """
    condition = f"xmin::text::bigint >= {since}"
    return f"{condition} AND xmin::text::bigint <> {own}" if own else condition


def deletions(relation: Relation, blocks: Iterable[int], since: int, own: int = 0) -> list[str]:
    """Return the statements that delete a table's rows that were written since, see `newer`."""
    return [f"DELETE FROM ONLY {relation.name} WHERE {where} AND {newer(since, own)}" for where in conditions(blocks)]


async def expected_rows(
    pristine: RowSource, relation: Relation, blocks: list[int], moved: MovedRows
) -> dict[Place, Place]:
    """Return where old rows are expected in some blocks of a table, with where the copy has each."""
    covered = {block for first, end in ranges(blocks) for block in range(first, min(end, relation.blocks))} | {*blocks}
    return moved.expected(await pristine.places(relation, sorted(covered)), covered)


async def bring_back(
    connection: asyncpg.Connection, pristine: RowSource, relation: Relation, blocks: list[int], moved: MovedRows
) -> None:
    """Insert the rows of a table that are missing in some blocks. No newer rows are there any more."""
    expected = await expected_rows(pristine, relation, blocks, moved)
    if not expected:
        return
    query = f"SELECT ctid FROM ONLY {relation.name} WHERE {at_places()}"
    for row in await connection.fetch(query, as_texts(expected)):
        del expected[row["ctid"]]
    await insert(connection, pristine, relation, list(expected.values()), moved)


async def insert(
    connection: asyncpg.Connection,
    pristine: RowSource,
    relation: Relation,
    origins: list[Place],
    moved: MovedRows,
) -> None:
    """Insert rows of the pristine copy, and note where they lie."""
    if not origins:
        return
    texts = await pristine.rows(relation, origins)
    columns = ", ".join(relation.columns)
    values = ", ".join(f"(one).{column}" for column in relation.columns)
    # OFFSET 0: else each text would be read once for each column.
    query = (
        f"INSERT INTO {relation.name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values} FROM ("
        f"SELECT line::{relation.name} AS one, number FROM unnest($1::text[]) WITH ORDINALITY AS l (line, number)"
        " OFFSET 0) AS rows ORDER BY number RETURNING ctid"
    )
    for origin, row in zip(origins, await connection.fetch(query, texts), strict=True):
        moved.move(origin, row["ctid"])
