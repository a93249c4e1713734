"""Who may send requests to a server program: the names that it is reached by, and web pages of this machine.

A web page can make the browser of its reader send requests to loopback. By DNS rebinding (the page's own name resolves
to 127.0.0.1 at the second look-up) it may even read the answers: that spends the key of `llm_record`'s upstream, and
reads the messages of a relay. Two headers of the browser show it: ``Host`` is the page's name, because the browser
takes that for the server's, and ``Origin`` is the page that sends. Vite (`server.allowedHosts`), Jupyter
(`local_hostnames`), Ollama (`OLLAMA_ORIGINS`) and webpack-dev-server (`allowedHosts`) check the same headers.
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_HTTP_PORT = 80
REFUSED_HOST, REFUSED_ORIGIN = "host_not_allowed", "origin_not_allowed"


class CallerRefusedError(Exception):
    """A request that is not answered.

    Args:
        code: `REFUSED_HOST` or `REFUSED_ORIGIN`.
        message: The header, its value, what is allowed, and the remedy.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)

    def content(self) -> dict[str, object]:
        """Return the error in the form of the OpenAI API."""
        return {"error": {"message": str(self), "type": "invalid_request_error", "param": None, "code": self.code}}

    def text(self) -> str:
        """Return `content` as JSON."""
        return json.dumps(self.content(), ensure_ascii=False)


class AllowedCallers:
    """Decides by a request's headers.

    Args:
        host: The address that the server listens on. Where that is all addresses (0.0.0.0, ::), any IP address is
            allowed: rebinding needs a name.
        port: The one that it listens on.
        hosts: More names, each with or without a port; without one, any port will do.
        origins: More origins of web pages, ``http://name:port``.
    """

    def __init__(self, host: str, port: int, *, hosts: Sequence[str] = (), origins: Sequence[str] = ()) -> None:
        self._names = _LOOPBACK | {host.lower()}
        self._every_address = _is_unspecified(host)
        self._port = port
        self._hosts = frozenset(map(str.lower, hosts))
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    def check(self, hosts: Sequence[str], origins: Sequence[str]) -> None:
        """Raise, unless the caller is allowed.

        Args:
            hosts: Values of the request's ``Host`` headers: one, in an orderly request.
            origins: Values of its ``Origin`` headers: none, where it does not come from a web page.

        Raises:
            CallerRefusedError: It is not.
        """
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            raise CallerRefusedError(REFUSED_HOST, self._explain_host(hosts))
        if len(origins) > 1 or not all(map(self._is_allowed, origins)):
            raise CallerRefusedError(REFUSED_ORIGIN, _explain_origin(origins))

    def _is_own(self, host: str) -> bool:
        name, port = _split(host)
        if host.lower() in self._hosts or name in self._hosts:
            return True
        return port == self._port and (name in self._names or (self._every_address and _is_address(name)))

    def _is_allowed(self, origin: str) -> bool:
        if origin.lower() in self._origins:
            return True
        scheme, _, authority = origin.partition("://")
        name, port = _split(authority)
        return scheme in {"http", "https"} and name in _LOOPBACK and port is not None

    def _explain_host(self, hosts: Sequence[str]) -> str:
        names = ", ".join(
            f"[{name}]:{self._port}" if ":" in name else f"{name}:{self._port}" for name in sorted(self._names)
        )
        more = "".join(f", {host}" for host in sorted(self._hosts))
        name = _split(hosts[0])[0] if len(hosts) == 1 else ""
        remedy = f"--allow-host {name}" if name else "--allow-host NAME"
        return (
            f"the request's Host is {_quoted(hosts)}, which is not a name of this server; allowed: {names}{more}. "
            f"A web page whose name resolves to this machine would send this. If the name is yours, start the server "
            f"with {remedy}"
        )


def _explain_origin(origins: Sequence[str]) -> str:
    remedy = f"--allow-origin {origins[0]}" if len(origins) == 1 and origins[0] != "null" else "--allow-origin ORIGIN"
    return (
        f"the request's Origin is {_quoted(origins)}: it was sent by a web page that is not of this machine; "
        f"allowed: http and https of localhost, 127.0.0.1 and [::1], on any port. If the page is yours, start the "
        f"server with {remedy}"
    )


def _quoted(values: Sequence[str]) -> str:
    return " and ".join(map(repr, values)) or "missing"


def _split(authority: str) -> tuple[str, int | None]:
    """Return name and port; no port where the text is not a name with an optional port."""
    try:
        parts = urlsplit(f"//{authority}")
        port = _HTTP_PORT if parts.port is None else parts.port
    except ValueError:
        return "", None
    if parts.netloc != authority or parts.username is not None or parts.path or parts.query or parts.fragment:
        return "", None
    return parts.hostname or "", port


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_unspecified(host: str) -> bool:
    return not host or (_is_address(host) and ipaddress.ip_address(host).is_unspecified)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a program listens, and whom it answers."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port; 0, the default, takes a free one and prints it")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME[:PORT]",
        help="answer requests to this name, too: of a container network, for example; may be given again",
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="answer web pages of this origin (https://name:port), too; may be given again",
    )


def allowed_callers(arguments: argparse.Namespace, port: int) -> AllowedCallers:
    """Return whom a program with these arguments answers on a port."""
    return AllowedCallers(arguments.host, port, hosts=arguments.allow_host, origins=arguments.allow_origin)
