"""The forms in which libraries of several languages want the address of a database: ``$(url :db jdbc)``.

What each library reads is in its own manual: SQLAlchemy, "Database URLs"; JDBC drivers, "Connecting to the Database"
and "Configuration". Which forms a kind of service has is said there (kinds/kind.py).
"""

from __future__ import annotations

from realservices.contract.errors import ManifestError
from realservices.kinds.registry import find_known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def written_as(where: str, form: str, endpoint: Mapping[str, Any]) -> str:
    """Return the address of a database in the form that a library wants.

    Args:
        where: What holds the value, for messages.
        form: One of the kind's `url_forms`.
        endpoint: The service's.

    Raises:
        ManifestError: The kind of service has no such form.
    """
    kind = find_known(endpoint["kind"])
    forms = kind.url_forms if kind else {}
    if form not in forms:
        scheme = str(endpoint["url"]).partition("://")[0]
        known = f"its forms are {', '.join(forms)}" if forms else "it has the plain URL only"
        raise ManifestError(f"{where}: there is no form {form!r} of the URL {scheme}://… of this service; {known}")
    return forms[form](endpoint)


def with_driver(driver: str) -> Callable[[Mapping[str, Any]], str]:
    """Return what makes SQLAlchemy's URL, which names the driver."""

    def write(endpoint: Mapping[str, Any]) -> str:
        scheme, _, rest = str(endpoint["url"]).partition("://")
        return f"{scheme}+{driver}://{rest}"

    return write


def jdbc(product: str) -> Callable[[Mapping[str, Any]], str]:
    """Return what makes the URL of a JDBC driver."""

    def write(endpoint: Mapping[str, Any]) -> str:
        from urllib.parse import quote  # noqa: PLC0415 - it takes 5 ms, for its users only

        address = f"{endpoint['host']}:{endpoint['port']}/{quote(str(endpoint['database']), safe='')}"
        user, password = (quote(str(endpoint[field]), safe="") for field in ("user", "password"))
        return f"jdbc:{product}://{address}?user={user}&password={password}"

    return write
