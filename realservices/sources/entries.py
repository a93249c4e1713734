"""A declaration as the entry of a manifest, which the launcher's side understands (contract/manifest.py)."""

from __future__ import annotations

import contextlib
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.kinds.registry import find, is_elsewhere
from realservices.sources.declared_kind import declared_kind, from_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from realservices.sources.declarations import Declaration


@contextlib.contextmanager
def entry_of(declaration: Declaration, all_declared: Mapping[str, Declaration]) -> Iterator[dict[str, Any]]:
    """Give a service's entry; paths in it start from the root directory. What they lead to stays until the end.

    Raises:
        RealServicesError: Something that it needs is not there.
    """
    kind = declared_kind(declaration.kind)
    with contextlib.ExitStack() as stack:
        config = kind.config(declaration, all_declared, stack)
        yield {
            "name": declaration.name,
            "kind": declaration.kind,
            "label": declaration.where,
            "needs": declaration.needs,
            "config": config,
            "made_of": kind.made_of(declaration, config),
            **_where(declaration.kind),
        }


def _where(name: str) -> dict[str, Any]:
    """Return what finds a kind that is a project's own."""
    kind = find(name)
    if not is_elsewhere(kind):
        return {}
    top = importlib.import_module(kind.package.partition(".")[0])
    return {"package": kind.package, "import_paths": [from_root(Path(path).parent) for path in top.__path__]}
