"""A small clickhouse-client: queries from ``--query`` or standard input, by HTTP.

What is understood of the real one: ``--query``/``-q``, ``--database``/``-d``, ``--host``, ``--user``/``-u``,
``--password``, ``--format``/``-f`` and ``--http-port`` (there is no native protocol here). Without an address it speaks
with the test's first ClickHouse. Several statements are divided at semicolons that end a line.
"""

from __future__ import annotations

import http.client
import os
import re
import sys
from urllib.parse import unquote, urlencode, urlsplit

_OPTIONS = {
    "-q": "query",
    "-d": "database",
    "-u": "user",
    "-f": "format",
    **{f"--{name}": name for name in ("query", "database", "host", "user", "password", "format", "http-port")},
}
_TIMEOUT_S = 300.0


class UsageError(Exception):
    """The arguments are not understood."""


def main() -> int:
    """Run the queries of the arguments, else those of standard input; return the exit code."""
    try:
        options = _parse(sys.argv[1:])
        for statement in re.split(r";[ \t]*(?:\n|$)", options.get("query") or sys.stdin.read()):
            if statement.strip():
                sys.stdout.buffer.write(_ask(options, statement))
        return 0
    except (UsageError, OSError, http.client.HTTPException) as error:
        print(f"clickhouse-client: {error}", file=sys.stderr)
        return 1


def _parse(arguments: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name not in _OPTIONS or not (equals or rest):
            raise UsageError(f"{name}: this client comes with rules_realservices and knows {', '.join(_OPTIONS)} only")
        options[_OPTIONS[name]] = value if equals else rest.pop(0)
    return options


def _ask(options: dict[str, str], statement: str) -> bytes:
    """Return a statement's answer.

    Raises:
        OSError: The server does not answer, or refuses it.
    """
    url = urlsplit(os.environ.get("CLICKHOUSE_URL", ""))
    host = options.get("host") or url.hostname or "127.0.0.1"
    port = int(options.get("http-port") or url.port or 8123)
    account = {
        "X-ClickHouse-User": options.get("user") or unquote(url.username or "default"),
        "X-ClickHouse-Key": options.get("password") or unquote(url.password or ""),
    }
    database = options.get("database") or unquote(url.path.strip("/"))
    settings = {"database": database, "default_format": options.get("format") or "TabSeparated"}
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        query = urlencode({name: value for name, value in settings.items() if value})
        connection.request("POST", f"/?{query}", statement.encode("utf-8", "surrogateescape"), account)
        answer = connection.getresponse()
        if answer.length is None and not answer.chunked:
            # Of a killed server, http.client takes the head as far as it came for a whole answer without content.
            raise ConnectionResetError("the server closed the connection within its answer")
        content = answer.read()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ConnectionError(content.decode(errors="replace").strip() or f"HTTP status {answer.status}")
    return content


if __name__ == "__main__":
    sys.exit(main())
