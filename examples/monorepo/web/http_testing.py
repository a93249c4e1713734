"""An HTTP client for the tests that talk to a server of their own."""

from __future__ import annotations

import ssl

from httpx import AsyncClient

TIMEOUT_S = 20


def client_of(url: str) -> AsyncClient:
    """A client of the server at `url`, whatever proxies the environment names."""
    # A context that trusts nobody: the default one loads the machine's certificates, 25 ms a client, for plain HTTP.
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False, verify=nobody)
