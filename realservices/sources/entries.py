"""A declaration as the entry of a manifest, which the launcher's side understands (contract/manifest.py)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from realservices.sources.declared_kind import declared_kind

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
        }
