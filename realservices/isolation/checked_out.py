"""How tests in other languages get a database of a kind, as `Checkouts` sees it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from realservices.contract.url_forms import written_as
from realservices.kinds.registry import find

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.isolation_manager import IsolationManager

SHOWN = ("host", "port", "user", "password", "database", "url")
_OTHER_FORMS = ("jdbc", "dsn")


class CheckedOut:
    """Base of all kinds.

    Args:
        manager: Of this process.
    """

    def __init__(self, manager: IsolationManager) -> None:
        self.manager = manager

    def prepare(self, service: str) -> None:
        """Make what the first tests will ask for."""

    def take(self, service: str, test: str) -> AbstractContextManager[dict[str, Any]]:
        """Give what a client needs to use a database, which is undone in the end.

        Args:
            service: Its name.
            test: Which test it is for, "": it is not known.

        Raises:
            RealServicesError: It cannot be given.
        """
        raise NotImplementedError


def fields(endpoint: Endpoint, **own: Any) -> dict[str, Any]:
    """Return a service's address with what is the test's own, in all forms."""
    here = dataclasses.asdict(endpoint) | own
    forms = [form for form in _OTHER_FORMS if form in find(endpoint.kind).url_forms]
    return {field: here[field] for field in SHOWN} | {form: written_as("url", form, here) for form in forms}
