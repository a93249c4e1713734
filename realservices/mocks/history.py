"""The history of a suite's scans: a file of JSON lines, one for each scan, from which the burn-down is drawn."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realservices.contract.errors import RealServicesError
from realservices.mocks.scan_json import counts_as_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from realservices.mocks.counts import Counts

VERSION = 1


class DamagedHistoryError(RealServicesError):
    """A line of a history is not what a scan has written."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A scan of the past.

    Attributes:
        time: When, in UTC.
        commit: Of what; "" where it was no git checkout.
        leaving: Mocks to be replaced.
        staying: Mocks that are right to stay.
        by_service: Those to be replaced, by what they stand for.
    """

    time: datetime.datetime
    commit: str
    leaving: int
    staying: int
    by_service: Mapping[str, int]


def record_of(counts: Counts, time: datetime.datetime, commit: str) -> Record:
    """Return the record of a scan that was just made."""
    return Record(
        time=time, commit=commit, leaving=counts.leaving, staying=counts.staying, by_service=counts.by_service
    )


def append(path: Path, counts: Counts, *, time: datetime.datetime, commit: str) -> None:
    """Add a scan to a history, which need not be there yet.

    Args:
        path: The history.
        counts: What was counted.
        time: When, with its time zone.
        commit: Of what.
    """
    at = time.astimezone(datetime.UTC).isoformat(timespec="seconds")
    line = json.dumps({"version": VERSION, "time": at, "commit": commit, "counts": counts_as_json(counts)})
    # In one write, so that two scans at once do not mix their lines.
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read(path: Path) -> list[Record]:
    """Return the scans of a history, the oldest first; none where there is no file.

    Raises:
        DamagedHistoryError: A line is not what a scan has written.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    records = [_record(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    return sorted(records, key=lambda record: record.time)


def _record(path: Path, number: int, line: str) -> Record:
    try:
        content: dict[str, Any] = json.loads(line)
        counts = content["counts"]
        time = datetime.datetime.fromisoformat(content["time"])
        if time.tzinfo is None:
            raise ValueError("its time has no time zone")
        return Record(
            time=time,
            commit=str(content.get("commit", "")),
            leaving=int(counts["leaving"]),
            staying=int(counts["staying"]),
            by_service={str(name): int(value) for name, value in counts["by_service"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedHistoryError(
            f"{path}, line {number}: {error!r}; this is no record of `migrate scan --history`. Remove the line, or "
            "name another file"
        ) from None
