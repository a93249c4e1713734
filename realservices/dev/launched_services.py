"""Which services a launcher starts: those that it was told, else those that the project declares, with their needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.dev.errors import StartupError, UnknownServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.sources.services import Services
    from realservices.sources.source import Declared


def wanted_services(services: Services, names: Sequence[str] = ()) -> list[Declared]:
    """Return the services to start, each after those that it needs.

    Args:
        services: All that there are.
        names: Those to start, with what they need; by default all that somebody has declared.

    Raises:
        UnknownServiceError: A name is none of theirs.
        StartupError: Nothing is declared.
    """
    known = {each.name: each for each in services.declared()}
    for name in names:
        if name not in known:
            raise UnknownServiceError(
                f"LauncherConfig: services names {name!r}; there are {', '.join(known) or 'none'}"
            )
    chosen = list(names) or [each.name for each in known.values() if not each.is_default]
    if not chosen:
        raise StartupError(
            "DevLauncher: no service is declared here: add [tool.realservices.services.NAME] to pyproject.toml "
            "(docs/pytest.md) or `services` to the real_service_test, or name some in LauncherConfig(services=…)"
        )
    ordered: dict[str, Declared] = {}

    def add(name: str) -> None:
        for needed in known[name].needs if name not in ordered else ():
            if needed in known:
                add(needed)
        ordered.setdefault(name, known[name])

    for name in chosen:
        add(name)
    return list(ordered.values())
