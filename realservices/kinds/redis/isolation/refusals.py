"""What the fixtures' clients say where the server refuses a command, or answers what they cannot give."""

from __future__ import annotations

from typing import Any

from redis.exceptions import NoPermissionError

from realservices.isolation.errors import IsolationError

_NO_TEXT = (
    "isolated_redis gives answers as str, and this one is no text: take isolated_redis_bytes (or "
    "isolated_redis_bytes_sync, environment['redis_bytes']), a client of the same database that gives bytes"
)

_NO_MODULE = (
    "the server of this test does not know the command; the pinned Redis comes without modules (JSON, search, …): name "
    "a redis-server that has them (REALSERVICES_REDIS, with Bazel --@rules_realservices//third_party/redis:server), "
    "or one that runs (TEST_REDIS_HOST)"
)

_IN_A_SCRIPT = (
    "Redis refuses this to isolated_redis in scripts and functions, too, because it would reach other tests: use the "
    "command for one database (FLUSHDB for FLUSHALL), and keys of the test's own database index"
)

_ONE_INDEX = (
    "The test has one database index, which its clients have selected: keep to it, and tell keys apart by names"
)
_LIBRARIES = (
    "What the test loads with isolated_redis is removed after it; to replace a library load it with REPLACE. A client "
    "of REDIS_URL may"
)
_INSTEAD = {
    "FLUSHALL": "Use the command for one database: FLUSHDB",
    "SELECT": _ONE_INDEX,
    "SWAPDB": _ONE_INDEX,
    "MOVE": _ONE_INDEX,
    "COPY": _ONE_INDEX,
    "RESET": "Make a client of the code's own: redis.from_url(isolated_redis.url)",
    "CLIENT KILL": "To lose a connection: isolated_redis.connection_pool.disconnect()",
    "FUNCTION DELETE": _LIBRARIES,
    "FUNCTION FLUSH": _LIBRARIES,
    "SHUTDOWN": "Stop the server by service_control",
    "DEBUG SLEEP": "Have the server stand still by service_control.pause",
    "CLIENT PAUSE": "Have the server stand still by service_control.pause",
}
_OTHERWISE = "A client of REDIS_URL may, if it leaves the server to later tests as it was"


class ServerWideCommandError(IsolationError, NoPermissionError):
    """A command that would reach other tests, refused by the server."""


def add_note(error: Exception, args: tuple[Any, ...]) -> None:
    """Tell what to do about an answer to a command."""
    if isinstance(error, UnicodeDecodeError):
        error.add_note(_NO_TEXT)
    elif isinstance(error, NoPermissionError):
        error.add_note(f"Redis refuses this to isolated_redis, because it would reach other tests. {_instead(args)}")
    elif str(error).startswith("unknown command"):
        error.add_note(_NO_MODULE)
    elif str(error).startswith("ACL failure in script"):
        error.add_note(_IN_A_SCRIPT)


def explain(args: tuple[Any, ...], error: NoPermissionError) -> ServerWideCommandError:
    """Return the error to raise where the server refuses a command to the test's account."""
    command = " ".join(_words(args[:2]))
    return ServerWideCommandError(
        f"{command}: Redis refuses this to isolated_redis, because it would reach other tests ({error}). "
        f"{_instead(args)}"
    )


def _words(args: tuple[Any, ...]) -> list[str]:
    """Return the words of a command; clients give a subcommand with it or after it."""
    return " ".join(part.decode(errors="replace") if isinstance(part, bytes) else str(part) for part in args).split()


def _instead(args: tuple[Any, ...]) -> str:
    """Return what to do in place of a command."""
    words = _words(args)
    upper = [word.upper() for word in words[:2]]
    if upper == ["CONFIG", "SET"] and len(words) > 3:
        name, value = words[2], words[3]
        return (
            f'Have the server start with it: redis_service(settings = {{"{name}": "{value}"}}), or without Bazel '
            f'settings = {{ "{name}" = "{value}" }} in the service\'s table of pyproject.toml'
        )
    return _INSTEAD.get(" ".join(upper)) or _INSTEAD.get(upper[0]) or _OTHERWISE
