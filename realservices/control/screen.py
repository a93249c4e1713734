"""What runs for a developer shows: a line for each service that is ready, what is under way, failures, and logs.

As text for people, or as JSON, one object in a line, for a program that starts this one.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from realservices.contract.environment import service_environment
from realservices.control.console import COLOURS, Console, forget_output
from realservices.system.terminal_text import as_output

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from realservices.contract.runtime import Endpoint

VERSION = 1
_HIDDEN = "***"


class Screen:
    """Where it is shown.

    Args:
        names: The services', in order.
        speaker: Who says what is no service's, for errors.
        output: By default standard output; it may be a command's own.
        is_json: Whether to write JSON.
        shows_passwords: Whether URLs have their passwords in the text.
        on_gone: Called when there is no reader any more.
    """

    def __init__(
        self,
        names: Sequence[str],
        speaker: str,
        *,
        output: IO[str] | None = None,
        is_json: bool = False,
        shows_passwords: bool = False,
        on_gone: Callable[[], None] = lambda: None,
    ) -> None:
        self._console = Console(output)
        self._output = output or sys.stdout
        self._speaker = speaker
        self._names = list(names)
        self._width = max(map(len, names), default=0)
        self._is_json = is_json
        self._shows_passwords = shows_passwords or self._console.is_terminal
        self._on_gone = on_gone
        self._progress = ""

    @property
    def shows_progress(self) -> bool:
        """Whether anybody sees what is under way."""
        return self._console.shows_progress

    def ready(self, name: str, url: str, startup_ms: float | None) -> None:
        """Show where a service is, and how long its start took; None: it is external."""
        if self._is_json:
            return
        shown = (url if self._shows_passwords else without_password(url)) or "(no port)"
        how = "is external, and there" if startup_ms is None else f"ready in {startup_ms:.0f} ms"
        self._line(name, f"{shown}  {how}")

    def all_ready(self, endpoints: Mapping[str, Endpoint], startup_ms: Mapping[str, float], **more: Any) -> None:
        """Show that everything serves."""
        if not self._is_json:
            which = f"all {len(endpoints)} services are" if len(endpoints) > 1 else f"{self._names[0]} is"
            self.say(f"{which} ready; Ctrl-C ends {'them' if len(endpoints) > 1 else 'it'}")
            return
        services = {name: _described(each, startup_ms[name]) for name, each in endpoints.items()}
        environment = service_environment({name: asdict(each) for name, each in endpoints.items()})
        self._event("ready", version=VERSION, **more, services=services, environment=environment)

    def failed(self, name: str, error: str) -> None:
        """Show that a service has ended which should not have."""
        if self._is_json:
            self._event("failed", service=name, error=error)
        else:
            self.complain(error)

    def changed(self, name: str, state: str) -> None:
        """Show that a service is in another state, at a user's request."""
        if self._is_json:
            self._event("changed", service=name, state=state)
        else:
            self._line(name, f"is {state}")

    def wrote(self, name: str, lines: Sequence[str]) -> None:
        """Show what a service has written."""
        for line in lines:
            if self._is_json:
                self._event("log", service=name, line=line)
            else:
                self._line(name, f"| {line}")

    def ended(self) -> None:
        """Show that nothing is left."""
        if self._is_json:
            self._event("ended")
        else:
            self.say("everything has ended, nothing of it is left")

    def say(self, text: str) -> None:
        """Write a line that is no service's."""
        if not self._is_json:
            self._write(lambda: self._console.line(text))

    def complain(self, text: str) -> None:
        """Write an error."""
        progress = self._progress
        self.progress("")
        try:
            print(as_output(f"{self._speaker}: {text}"), file=sys.stderr, flush=True)
        except OSError:
            forget_output(sys.stderr)
        self.progress(progress)

    def progress(self, text: str) -> None:
        """Show what is under way; "" wipes it away."""
        self._progress = text
        try:
            self._console.progress(text)
        except OSError:
            forget_output(sys.stderr)

    def _line(self, name: str, text: str) -> None:
        shown = f"{name:<{self._width}}"
        colour = COLOURS[self._names.index(name) % len(COLOURS)] if name in self._names else "bold"
        self._write(lambda: self._console.line(f"{self._console.coloured(shown, colour)}  {text}"))

    def _event(self, event: str, **content: Any) -> None:
        self._write(lambda: self._console.json_line({"event": event, **content}))

    def _write(self, write: Callable[[], None]) -> None:
        progress = self._progress
        self.progress("")
        try:
            write()
        except OSError:
            forget_output(self._output)  # A closed pipe or terminal.
            self._on_gone()
        self.progress(progress)


def without_password(url: str) -> str:
    """Return a URL in which stars stand for its password."""
    parts = urlsplit(url)
    account, at, address = parts.netloc.rpartition("@")
    user, colon, _ = account.partition(":")
    return urlunsplit(parts._replace(netloc=f"{user}{colon}{_HIDDEN if colon else ''}{at}{address}"))


def _described(endpoint: Endpoint, startup_ms: float) -> dict[str, Any]:
    shown = (
        "kind",
        "url",
        "host",
        "port",
        "ports",
        "user",
        "password",
        "database",
        "health_url",
        "websocket_url",
        "log",
    )
    described = {field: getattr(endpoint, field) for field in shown}
    return {**described, "ports": dict(endpoint.ports), "startup_ms": round(startup_ms, 1)}
