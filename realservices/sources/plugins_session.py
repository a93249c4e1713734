"""Where the pytest plugin leaves what begins with the session's services.

So code that asks for this process's services finds the session's, also before any test has used them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# The last one counts: a test may run pytest within this process.
_beginnings: list[Callable[[], None]] = []


def leave(begin: Callable[[], None]) -> None:
    """Leave what makes the plugin's manager this process's."""
    _beginnings.append(begin)


def forget() -> None:
    """Forget it: the session ends."""
    if _beginnings:
        _beginnings.pop()


def begin() -> None:
    """Begin with the session's services, if there is a session."""
    if _beginnings:
        _beginnings[-1]()
