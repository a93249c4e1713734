"""A small redis-cli, where a Redis comes without its own: commands from arguments or lines, answers as raw text.

What is understood of the real one ("Redis CLI" in Redis' documentation): ``-h``, ``-p``, ``-n``, ``-u``, ``-a``,
``--user``, ``-e``, ``--raw``, ``--no-auth-warning`` and the variable REDISCLI_AUTH. Without an address it speaks with
the test's first Redis.
"""

from __future__ import annotations

import os
import shlex
import socket
import sys
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

_WITH_VALUE = ("-h", "-p", "-n", "-u", "-a", "--user")
_FLAGS = ("-e", "--raw", "--no-auth-warning")
_TIMEOUT_S = 60.0

Answer = bytes | int | list["Answer"] | None


class CommandError(Exception):
    """The server refuses a command."""


class UsageError(Exception):
    """The arguments are not understood."""


def main() -> int:
    """Run the commands of the arguments, else those of standard input; return the exit code."""
    try:
        options, words = _parse(sys.argv[1:])
        commands: Iterable[list[str]] = [words] if words else _lines(sys.stdin)
        return _run(options, commands)
    except (UsageError, OSError) as error:
        print(f"redis-cli: {error}", file=sys.stderr)
        return 1


def _parse(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        name = rest.pop(0)
        if name in _FLAGS:
            options[name] = "1"
        elif name in _WITH_VALUE and rest:
            options[name] = rest.pop(0)
        else:
            raise UsageError(
                f"{name}: this redis-cli is a small one and knows {', '.join((*_WITH_VALUE, *_FLAGS))} only"
            )
    return options, rest


def _lines(lines: Iterable[str]) -> Iterator[list[str]]:
    for line in lines:
        if words := shlex.split(line):
            yield words


def _run(options: dict[str, str], commands: Iterable[list[str]]) -> int:
    code = 0
    host, port, account, number = _address(options)
    with socket.create_connection((host, port), _TIMEOUT_S) as connection:
        stream = connection.makefile("rb")
        before = [["AUTH", *account]] if account else []
        before += [["SELECT", number]] if number not in ("", "0") else []
        for command in before:
            _ask(connection, stream, command)
        for command in commands:
            try:
                _show(_ask(connection, stream, command))
            except CommandError as error:
                print(error, flush=True)
                code = 1 if "-e" in options else code
    return code


def _address(options: dict[str, str]) -> tuple[str, int, list[str], str]:
    """Return host, port, what AUTH is given and the database's number."""
    own = "-h" in options or "-p" in options
    url = urlsplit(options.get("-u") or ("" if own else os.environ.get("REDIS_URL", "")))
    user = options.get("--user") or unquote(url.username or "")
    password = options.get("-a") or unquote(url.password or "") or os.environ.get("REDISCLI_AUTH", "")
    account = ([user] if user else []) + ([password] if password else [])
    host = options.get("-h") or url.hostname or "127.0.0.1"
    port = options.get("-p") or str(url.port or 6379)
    number = options.get("-n") or url.path.strip("/")
    if not (port.isdigit() and (number.isdigit() or not number)):
        raise UsageError(f"port {port!r} and database {number!r} must be numbers")
    return host, int(port), account, number


def _ask(connection: socket.socket, stream: BinaryIO, words: list[str]) -> Answer:
    """Send a command; return its answer, see "Redis serialization protocol specification".

    Raises:
        CommandError: The server refuses it.
        OSError: The connection ends.
    """
    parts = [word.encode("utf-8", "surrogateescape") for word in words]
    connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
    return _read(stream)


def _read(stream: BinaryIO) -> Answer:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the server has closed the connection")
    kind, text = line[:1], line[1:-2]
    if kind == b"-":
        raise CommandError(f"(error) {text.decode(errors='replace')}")
    if kind == b":":
        return int(text)
    if kind == b"$":
        return None if text == b"-1" else stream.read(int(text) + 2)[:-2]
    if kind == b"*":
        return None if text == b"-1" else [_read(stream) for _ in range(int(text))]
    return text


def _show(answer: Answer) -> None:
    if isinstance(answer, list):
        for each in answer:
            _show(each)
        return
    text = answer if isinstance(answer, bytes) else b"" if answer is None else b"%d" % answer
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
