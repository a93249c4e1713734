"""Whether a running service is healthy: by the URL that it was asked for readiness, else by its port."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.control.client import ServiceStatus
    from realservices.dev.discovery import ServiceInfo

    # What all of these have: host, port, health_url.
    Listener = Endpoint | ServiceInfo | ServiceStatus

_TRY_TIMEOUT_S = 5.0
_PAUSE_S = 0.05
_FIRST_FAULT = 500  # From here on a status says that the server failed, not that it refused.


async def complaint_of(endpoint: Listener, timeout_s: float) -> str:
    """Return what is wrong with a service after ``timeout_s`` seconds of asking; "" as soon as nothing is."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        complaint = await _ask(endpoint)
        if not complaint or asyncio.get_running_loop().time() + _PAUSE_S >= deadline:
            return complaint
        await asyncio.sleep(_PAUSE_S)


async def _ask(endpoint: Listener) -> str:
    if not endpoint.port:
        return ""
    where = endpoint.health_url or f"{endpoint.host}:{endpoint.port}"
    try:
        async with asyncio.timeout(_TRY_TIMEOUT_S):
            if endpoint.health_url:
                status = await _status(endpoint.health_url)
                return f"{where} answers with status {status}" if status >= _FIRST_FAULT else ""
            _, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
            writer.close()
    except TimeoutError:
        return f"{where} does not answer within {_TRY_TIMEOUT_S:.0f} s"
    except OSError as error:
        return f"{where} cannot be reached: {error.strerror or error}"
    except (ValueError, IndexError):
        return f"{where} does not answer with HTTP"
    return ""


async def _status(url: str) -> int:
    """Return the status of a GET, by hand: httpx takes 100 ms to import, and a launcher may need nothing else of it."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        line = await reader.readline()
        return int(line.split()[1])
    finally:
        writer.close()
