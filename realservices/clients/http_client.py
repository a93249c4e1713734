"""HTTP client of a test: a real service's base URL, paths relative to it, and the tokens of the user that logged in.

httpx is imported and its client made at the first request: together they cost more than a hundred requests.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from realservices.clients.addresses import describe_port, port_of, shown_service
from realservices.clients.errors import HttpBodyError, HttpRequestError, HttpStatusError, shown_body

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 10.0
_SIGNUP = "/auth/signup"
_LOGIN = "/auth/login"
_KEPT_TOKENS = ("access_token", "refresh_token")


class HttpClient:
    """Asks one service.

    Nothing is connected before the first request. Proxies of the environment are not used: the services are near.

    Args:
        base_url: Where the service is, for example ``http://127.0.0.1:8080``. Paths are appended to it.
        service: The service's name, for messages.
        timeout_s: How long a connection, and each pause within an answer, may take.
        options: More for `httpx.AsyncClient`.

    Attributes:
        tokens: What signup or login gave: ``access_token``, ``refresh_token``. The access token is sent as
            ``Authorization: Bearer`` to this service, and to no other. Clear it to log out.
    """

    def __init__(self, base_url: str, *, service: str = "", timeout_s: float = _TIMEOUT_S, **options: Any) -> None:
        self.base_url = base_url
        self.service = service
        self.tokens: dict[str, str] = {}
        self._options = {"timeout": timeout_s, "trust_env": False, **options}
        self._client: httpx.AsyncClient | None = None
        self._closed = False

    @property
    def client(self) -> httpx.AsyncClient:
        """The `httpx.AsyncClient` behind this one, for what is missing here. It knows nothing of `tokens`."""
        if self._closed:
            raise HttpRequestError(f"the HTTP client of {self._shown} has been closed; do not keep it beyond its test")
        if self._client is None:
            self._client = _make_client(self.base_url, self._options)
        return self._client

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET request; see `request`."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        """Send a POST request; see `request`."""
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Any) -> httpx.Response:
        """Send a PUT request; see `request`."""
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Any) -> httpx.Response:
        """Send a PATCH request; see `request`."""
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        """Send a DELETE request; see `request`."""
        return await self.request("DELETE", path, **options)

    async def request(self, method: str, path: str, *, stream: bool = False, **options: Any) -> httpx.Response:
        """Send a request and return the answer, whatever its status is.

        Args:
            method: For example ``GET``.
            path: Relative to the base URL; or a whole URL.
            stream: Return as soon as the head is there. The caller reads and closes the answer.
            options: As for `httpx.AsyncClient.build_request`: ``json``, ``params``, ``headers``, ``content``, …

        Raises:
            HttpRequestError: There was no answer.
        """
        request = self.client.build_request(method, path, **options)
        if "access_token" in self.tokens and self._is_ours(request.url):
            request.headers.setdefault("Authorization", f"Bearer {self.tokens['access_token']}")
        return await self._send(request, stream=stream)

    async def auth_signup(self, email: str, password: str, **fields: Any) -> dict[str, Any]:
        """Sign up by ``POST /auth/signup``, keep the tokens, and return the answer.

        Args:
            email: The address.
            password: The password.
            fields: More for the request's JSON object.

        Raises:
            HttpStatusError: The service refused.
            HttpBodyError: It did not answer with a JSON object.
        """
        return await self._authenticate(_SIGNUP, {"email": email, "password": password, **fields})

    async def auth_login(self, email: str, password: str, **fields: Any) -> dict[str, Any]:
        """Log in by ``POST /auth/login``; otherwise as `auth_signup`."""
        return await self._authenticate(_LOGIN, {"email": email, "password": password, **fields})

    async def close(self) -> None:
        """Close the connections. The client cannot be used any more."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def _shown(self) -> str:
        return shown_service(self.service, self.base_url)

    async def _send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        try:
            return await self.client.send(request, stream=stream)
        except _transport_error() as error:
            raise await self._explain(request, error) from error

    async def _authenticate(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        # Without a Bearer: who logs in is nobody yet, and a server may refuse a token of before.
        response = await self._send(self.client.build_request("POST", path, json=content))
        answer = self._json_object(response, path)
        self.tokens = {name: answer[name] for name in _KEPT_TOKENS if isinstance(answer.get(name), str)}
        return answer

    def _json_object(self, response: httpx.Response, path: str) -> dict[str, Any]:
        asked = f"POST {path} of {self._shown}"
        if not response.is_success:
            raise HttpStatusError(response.status_code, asked, response.text, _remedy(response.status_code, path))
        try:
            answer = response.json()
        except json.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise HttpBodyError(
                f"{asked} was answered with status {response.status_code}, but not with a JSON object: "
                f"{shown_body(response.text)}\n  expected an object with access_token and refresh_token"
            )
        return answer

    def _is_ours(self, url: httpx.URL) -> bool:
        ours, theirs = urlsplit(self.base_url), urlsplit(str(url))
        return (ours.scheme, ours.hostname, port_of(ours)) == (theirs.scheme, theirs.hostname, port_of(theirs))

    async def _explain(self, request: httpx.Request, error: Exception) -> HttpRequestError:
        url = str(request.url)
        return HttpRequestError(
            f"{request.method} {shown_service(self.service, url)} got no answer: "
            f"{type(error).__name__}: {error or 'no more is known'}\n  {await describe_port(url)}. "
            "The service's log says more: under a launcher, "
            f"`await service_control.logs({self.service or 'name'!r})`"
        )


def _make_client(base_url: str, options: dict[str, Any]) -> httpx.AsyncClient:
    import ssl  # noqa: PLC0415 - see the module's docstring

    import httpx  # noqa: PLC0415

    if urlsplit(base_url).scheme != "https":
        # Loading certificates takes 50 ms. A context without any still refuses every server that needs one.
        options = {"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), **options}
    return httpx.AsyncClient(base_url=base_url, **options)


def _transport_error() -> type[Exception]:
    import httpx  # noqa: PLC0415 - see the module's docstring

    return httpx.TransportError


def _remedy(status: int, path: str) -> str:
    if status == 404:
        return f"the service has no such path: is it the one with the auth API, and is that API at {path}?"
    if status == 409:
        return "what the test makes is there already: give each test an address of its own, or a database of its own"
    if status in (401, 403):
        return "the service does not know these credentials: sign up first, in the database that the service uses"
    if status >= 500:
        return "the service failed; its log says why"
    return "the service refused the content; its answer says which field"
