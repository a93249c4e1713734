"""URLs of a database, in the form that each library wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from realservices.isolation.errors import IsolationError

if TYPE_CHECKING:
    from realservices.kinds.postgres.isolation.clone import Clone

SCHEMES = (
    "postgresql",
    "postgres",
    "postgresql+asyncpg",
    "postgresql+psycopg",
    "postgresql+psycopg_async",
    "postgresql+psycopg2",
)
"""Those that libraries know."""


def url_for(clone: Clone, scheme: str) -> str:
    """Return a database's URL with another scheme: over TCP, with the password.

    Raises:
        IsolationError: No library knows the scheme, or it has no words for how the server wants TLS.
    """
    if scheme not in SCHEMES:
        meant = f"postgresql+{scheme}"
        hint = f". For {scheme} it is url_for({meant!r})" if meant in SCHEMES else ""
        raise IsolationError(f"url_for({scheme!r}): unknown; known are {', '.join(SCHEMES)}{hint}")
    url = urlsplit(clone.url)
    query = dict(parse_qsl(url.query))
    if scheme == "postgresql+asyncpg" and "sslmode" in query:
        # SQLAlchemy hands the query to asyncpg.connect as arguments, which has `ssl`, and none for certificates.
        if "sslrootcert" in query:
            raise IsolationError(
                f"url_for({scheme!r}): service {clone.endpoint.name!r} wants sslrootcert={query['sslrootcert']!r}, "
                "which this scheme cannot say. Use isolated_engine_async, or make an engine with "
                "connect_args={'ssl': …}"
            )
        query["ssl"] = query.pop("sslmode")
    return url._replace(scheme=scheme, query=urlencode(query, quote_via=quote)).geturl()


def sqlalchemy_url(clone: Clone, driver: str) -> Any:
    """Return the URL that an engine shows."""
    import sqlalchemy  # noqa: PLC0415 - for its users

    return sqlalchemy.make_url(clone.url).set(drivername=f"postgresql+{driver}")
