"""Templates in the making, and what their tools do just now: shown where a build takes long.

On a terminal that is a line which is wiped away again, by whoever shows other things there (`up`) or by this module. In
a log it is one line at the end of a build that has taken long.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

from realservices.contract.template_info import PROGRESS
from realservices.system.terminal_text import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SHOWN_AFTER_S, _PAUSE_S = 2.0, 0.2
# A line in a log that nobody can miss, and that no short build has.
_TOLD_AFTER_S = 10.0
_CLEAR_LINE = "\r\x1b[K"


class Build:
    """The build of one service's template.

    Attributes:
        service: Its name.
        step: What the tool does just now; "" if it has not said so.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.step = ""
        self._begin = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """How long it has taken until now."""
        return time.monotonic() - self._begin

    @property
    def words(self) -> str:
        """What is done, in words."""
        step = f": {as_text(self.step)}" if self.step else ""
        return f"building the schema of {as_text(self.service)}{step}"

    def follow(self, lines: Iterable[str]) -> str:
        """Read what the tool prints, to its end; return what is no progress."""
        others = []
        for line in lines:
            if line.startswith(PROGRESS):
                self.step = line[len(PROGRESS) :].rstrip("\n")
            else:
                others.append(line)
        return "".join(others)


_builds: list[Build] = []
_terminal = -1


def present_builds() -> list[Build]:
    """Return the builds of this process."""
    return list(_builds)


def show_builds() -> None:
    """Show builds on this process's stderr as it is now: later, somebody may catch what is written there."""
    global _terminal
    if _terminal < 0:
        with contextlib.suppress(OSError):  # It is closed.
            _terminal = os.dup(2)


@contextlib.contextmanager
def build_of(service: str) -> Iterator[Build]:
    """Show the build of a template for as long as it takes."""
    build, is_done = Build(service), threading.Event()
    _builds.append(build)
    shows = threading.Thread(target=_show, args=(build, is_done), daemon=True) if _is_terminal() else None
    if shows:
        shows.start()
    try:
        yield build
    finally:
        is_done.set()
        _builds.remove(build)
        if shows:
            shows.join()
    if build.elapsed_s > _TOLD_AFTER_S:
        _write(f"realservices: built the schema of {as_text(service)} in {build.elapsed_s:.0f} s; it is kept\n")


def _show(build: Build, is_done: threading.Event) -> None:
    is_shown = False
    while not is_done.wait(_PAUSE_S):
        if build.elapsed_s > _SHOWN_AFTER_S:
            is_shown = True
            _write(f"{_CLEAR_LINE}{_fitting(f'{build.words} … {build.elapsed_s:.0f} s')}")
    if is_shown:
        _write(_CLEAR_LINE)


def _fitting(text: str) -> str:
    """Return a text as one line: a longer one would not be wiped away."""
    try:
        width = os.get_terminal_size(_terminal).columns or 80
    except OSError:
        width = 80
    return text if len(text) < width else f"{text[: width - 2]}…"


def _is_terminal() -> bool:
    return _terminal >= 0 and os.isatty(_terminal) and os.environ.get("TERM") != "dumb"


def _write(text: str) -> None:
    if _terminal >= 0:
        with contextlib.suppress(OSError):  # There is no reader any more.
            os.write(_terminal, text.encode("utf-8", "replace"))
