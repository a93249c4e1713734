"""A headless Chromium that tests can ask, by the DevTools protocol (https://chromedevtools.github.io/devtools-protocol)."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from websockets.sync.client import connect

EXECUTABLE = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = "there is no chromium on PATH; on Debian and Ubuntu `apt-get install chromium` brings it"
_LISTENS = re.compile(r"DevTools listening on (ws://\S+)")
_TIMEOUT_S = 60.0
_KEYS = {"Tab": 9, "Enter": 13, " ": 32}


class Chromium:
    """A browser with one page.

    Attributes:
        problems: What the page's script threw or the browser complained of.
        requests: Every address that was asked for.

    Args:
        directory: Where it keeps its profile.
    """

    def __init__(self, directory: Path) -> None:
        assert EXECUTABLE, MISSING
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        command = [EXECUTABLE, *options, "--remote-debugging-port=0", f"--user-data-dir={directory}", "about:blank"]
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self._number = 0
        self._session = ""
        with ExitStack() as stack:
            stack.callback(self._end)
            self._connection = stack.enter_context(connect(self._address(), max_size=None, proxy=None))
            self._open_page()
            self._stack = stack.pop_all()

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def look(
        self, *, scheme: str = "light", width: int = 1280, height: int = 900, motion: str = "no-preference"
    ) -> None:
        """Set what the page can find out about its reader."""
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]
        self._ask("Emulation.setEmulatedMedia", features=features)
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, page: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.problems.clear()
        self.requests.clear()
        self._ask("Page.navigate", url=page.as_uri())
        self.wait_for_load()

    def wait_for_load(self) -> None:
        """Wait until the page that has been asked for is loaded."""
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> Any:
        """Return the value of an expression, awaited."""
        done = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key, with what the browser itself does at it."""
        code = _KEYS[key]
        more = {"text": "\r"} if key == "Enter" else {"text": key} if key == " " else {}
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)
            more = {}

    def accessibility(self) -> list[dict[str, Any]]:
        """Return what a screen reader is told: role, name and properties of every element that is not ignored."""
        nodes: list[dict[str, Any]] = self._ask("Accessibility.getFullAXTree")["nodes"]
        return [node for node in nodes if not node.get("ignored")]

    def screenshot(self, path: Path) -> None:
        """Write a picture of the whole page."""
        picture = self._ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    def _open_page(self) -> None:
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._ask(f"{domain}.enable")

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _address(self) -> str:
        assert self._process.stderr
        for line in self._process.stderr:
            found = _LISTENS.search(line)
            if found:
                return found[1]
        raise AssertionError(f"chromium ended with code {self._process.wait()} before it listened")

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        request = {"id": number, "method": method, "params": parameters}
        self._connection.send(json.dumps(request | ({"sessionId": self._session} if self._session else {})))
        while (message := self._next()).get("id") != number:
            pass
        assert "error" not in message, f"{method}: {message['error']}"
        result: dict[str, Any] = message["result"]
        return result

    def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(timeout=_TIMEOUT_S))
        parameters = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.problems.append(json.dumps(parameters["exceptionDetails"]))
            case "Log.entryAdded":
                self.problems.append(json.dumps(parameters["entry"]))
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
        return message
