"""What the fixtures' clients say where the server refuses a command, or answers what they cannot give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError

from realservices.isolation.errors import IsolationError

if TYPE_CHECKING:
    from redis.exceptions import ResponseError

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


class ServerWideCommandError(IsolationError, NoPermissionError):
    """A command that would reach other tests, refused by the server."""


def add_note(error: UnicodeDecodeError | ResponseError) -> None:
    """Tell what to do about an answer."""
    if isinstance(error, UnicodeDecodeError):
        error.add_note(_NO_TEXT)
    elif str(error).startswith("unknown command"):
        error.add_note(_NO_MODULE)
    elif str(error).startswith("ACL failure in script"):
        error.add_note(_IN_A_SCRIPT)


def explain(args: tuple[Any, ...], error: NoPermissionError) -> ServerWideCommandError:
    """Return the error to raise where the server refuses a command to the test's account."""
    words = [part.decode(errors="replace") if isinstance(part, bytes) else str(part) for part in args]
    command = " ".join(words[:2])
    return ServerWideCommandError(
        f"{command}: Redis refuses this to isolated_redis, because it would reach other tests ({error}). "
        f"{_instead(' '.join(words).split())}"
    )


def _instead(words: list[str]) -> str:
    """Return what to do in place of a command."""
    if [word.upper() for word in words[:2]] == ["CONFIG", "SET"] and len(words) > 3:
        name, value = words[2], words[3]
        return (
            f'Have the server start with it: redis_service(settings = {{"{name}": "{value}"}}), or without Bazel '
            f'settings = {{ "{name}" = "{value}" }} in the service\'s table of pyproject.toml'
        )
    if words[0].upper() == "RESET":
        return "Make a client of the code's own: redis.from_url(isolated_redis.url)"
    return "Use the command for one database (flushdb for flushall)"
