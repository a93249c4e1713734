"""How messages speak of an address: its URL without secrets, and whether something listens there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_PROBE_TIMEOUT_S = 1.0
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def shown_url(url: str) -> str:
    """Return ``url`` without passwords and without the values of its query, where tokens travel."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = urlencode([(name, "...") for name, _ in parse_qsl(parts.query, keep_blank_values=True)])
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def shown_service(service: str, url: str) -> str:
    """Return how a message names a service: by name, where there is one, and address."""
    return f"service {service!r} at {shown_url(url)}" if service else shown_url(url)


def host_and_port(url: str) -> tuple[str, int]:
    """Return where ``url`` leads."""
    parts = urlsplit(url)
    return parts.hostname or "", port_of(parts)


def port_of(parts: SplitResult) -> int:
    """Return the port of a URL, also where it is only implied. 0: the scheme has none."""
    return parts.port or _PORTS.get(parts.scheme, 0)


async def describe_port(url: str) -> str:
    """Return whether something listens where ``url`` leads, in words that end a message."""
    host, port = host_and_port(url)
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
    except ConnectionRefusedError:
        return f"port {port} of {host} refuses connections: nothing listens there (any more)"
    except TimeoutError:
        return f"port {port} of {host} does not accept a connection within {_PROBE_TIMEOUT_S:.0f} s"
    except OSError as error:
        return f"port {port} of {host} cannot be reached: {error.strerror or error}"
    return f"port {port} of {host} is open"
