"""Which services a command starts: those that are named, else all that the project declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError
from realservices.dev.launched_services import wanted_services

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from realservices.sources.services import Services
    from realservices.sources.source import Declared


def services_to_start(services: Services, names: Sequence[str], root: Path) -> list[Declared]:
    """Return what to start, each after those that it needs.

    Raises:
        RealServicesError: A name is nobody's, or there is nothing.
    """
    declared = services.declared()
    known = [each.name for each in declared]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise RealServicesError(f"no service {unknown[0]!r} in {root}; there are {', '.join(known)}")
    if not names and all(each.is_default for each in declared):
        raise RealServicesError(
            f"no service is declared in {root}: add [tool.realservices.services.NAME] to its pyproject.toml "
            f"(docs/pytest.md), or name some of those that need no declaration: {', '.join(known)}"
        )
    return wanted_services(services, names)
