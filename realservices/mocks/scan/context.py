"""What a file or module is about, by its name and by what it imports: for mocks whose own names say too little."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.scan.names import is_of_another_store, service_of_name
from realservices.mocks.scan.vocabulary import service_of_package
from realservices.mocks.scan_model import Service

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from realservices.mocks.scan.module_summary import ModuleSummary

CLIENTS = (Service.POSTGRES, Service.REDIS, Service.CLICKHOUSE, Service.HTTP, Service.WEBSOCKET)
"""Services that have clients, sessions, connections and pools."""
_BY_FILE, _BY_IMPORT = 3, 1


def context_of(path: Path, imports: Iterable[str]) -> tuple[Service, str]:
    """Return the one service that a test file is about, and why; OTHER where it is none, or several alike.

    Args:
        path: The file.
        imports: Full names that it imports, of the project too.
    """
    scores: dict[Service, int] = {}
    words: dict[Service, str] = {}
    if is_of_another_store(path.stem):
        return Service.OTHER, ""
    found = service_of_name(path.stem)
    if found and found[0] in CLIENTS:
        scores[found[0]] = _BY_FILE
        words[found[0]] = f"{path.name} is about {found[1]}"
    for full in dict.fromkeys(imports):
        service = service_of_package(full) or _of_own_module(full)
        if service in CLIENTS:
            scores[service] = scores.get(service, 0) + _BY_IMPORT
            words.setdefault(service, f"the file imports {full}")
    return _best(scores, words)


def _of_own_module(full: str) -> Service | None:
    for part in reversed(full.split(".")[:-1]):  # What is imported from it may have any name.
        found = service_of_name(part)
        if found:
            return found[0]
    return None


def context_of_module(summary: ModuleSummary) -> tuple[Service, str]:
    """Return the one service whose libraries a module imports, and why."""
    scores: dict[Service, int] = {}
    words: dict[Service, str] = {}
    for name in sorted(summary.imported):
        full = summary.names[name]
        service = service_of_package(full)
        if service in CLIENTS:
            scores[service] = scores.get(service, 0) + 1
            words.setdefault(service, f"{summary.name} imports {full}")
    return _best(scores, words)


def _best(scores: dict[Service, int], words: dict[Service, str]) -> tuple[Service, str]:
    ranked = sorted(scores, key=lambda service: -scores[service])
    if not ranked or (len(ranked) > 1 and scores[ranked[0]] == scores[ranked[1]]):
        return Service.OTHER, ""
    return ranked[0], words[ranked[0]]
