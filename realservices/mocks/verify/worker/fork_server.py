"""Run tests again and again, each time in a fork of a process that has imported all but the project: `… DESCRIPTOR`.

It reads a line of JSON for each run from a socket, answers with a line, and ends when the socket is closed. The first
line names `modules` to import, `scratch`, `test`, `arguments` and the project's `root`; its answer is `is_clean`. A run
has `tests`, `timeout_s`, and, for a mutant, `path` and `source`. The answer has `ended` ("by itself", "in time-out",
"by signal 9"), `seconds` and, if it came so far, what a recorder keeps and `is_applied`: whether the changed file was
imported.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest

from realservices.mocks.verify.worker.arguments import installed_plugins, pytest_arguments
from realservices.mocks.verify.worker.modules import is_others
from realservices.mocks.verify.worker.overlay import Overlay
from realservices.mocks.verify.worker.recorder import Recorder


class Server:
    """Forks and waits.

    Args:
        connection: Where requests come from.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rw", encoding="utf-8")
        # The end of a child is a byte here.
        self._ended, told = os.pipe()
        for descriptor in (self._ended, told):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(told)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Answer until the last request."""
        first = json.loads(self._lines.readline() or "{}")
        if not first:
            return
        _import(first["modules"])
        _keep_bytecode(first["scratch"])
        installed_plugins()
        gc.freeze()
        self._answer({"is_clean": _is_clean(first["root"])})
        for line in self._lines:
            self._answer(self._run(first | json.loads(line)))

    def _answer(self, content: dict[str, Any]) -> None:
        self._lines.write(json.dumps(content) + "\n")
        self._lines.flush()

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        result = Path(request["scratch"], "result.json")
        result.unlink(missing_ok=True)
        begin = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _be_child(request, result, self._connection)
        try:
            ended = self._wait(pid, begin + request["timeout_s"])
        finally:
            # Whatever the tests have started, and the child itself if we leave without it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        answer = {"ended": ended, "seconds": time.monotonic() - begin}
        return answer | (json.loads(result.read_bytes()) if result.exists() else {})

    def _wait(self, pid: int, deadline: float) -> str:
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return "by itself" if code >= 0 else f"by signal {-code}"
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                _kill(pid)
                return "in time-out"
            ready, _, _ = select.select([self._ended, self._connection.fileno()], [], [], left_s)
            if self._connection.fileno() in ready:
                _kill(pid)
                sys.exit()  # Nothing is sent while a run is under way: the one that asked is gone.
            if self._ended in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._ended, 512)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # It may not have a group of its own yet.
    os.waitpid(pid, 0)


def _import(names: list[str]) -> None:
    for name in names:
        # It is only to save time: a module that cannot be imported by itself is imported by the tests.
        with contextlib.suppress(BaseException):
            importlib.import_module(name)


def _keep_bytecode(scratch: str) -> None:
    """Have forks keep what they compile, the project's modules and tests, for the forks after them.

    Only from now on: with a prefix Python does not find what is compiled already beside the modules of others.
    """
    sys.pycache_prefix = f"{scratch}/pycache"
    sys.dont_write_bytecode = False


def _is_clean(root: str) -> bool:
    """Return whether forks of this process are as good as new ones.

    A fork has none of its parent's other threads, and may wait for one of them for ever. And of a module of the project
    that others have imported, it would not see a change.
    """
    modules = list(sys.modules.items())
    return threading.active_count() == 1 and all(
        name == "__main__" or is_others(module, root) for name, module in modules
    )


def _be_child(request: dict[str, Any], result: Path, connection: socket.socket) -> NoReturn:
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(connection.fileno())
        _redirect(request["scratch"])
        _write(result, _result_of(request))
    except BaseException:  # noqa: BLE001 - it ends here, whatever it was
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        # Not the ends of interpreters: what is registered there is the server's.
        os._exit(0)


def _redirect(scratch: str) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(f"{scratch}/run.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for target, descriptor in ((0, null), (1, log), (2, log)):
        os.dup2(descriptor, target)


def _write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content), encoding="utf-8")
    part.rename(path)


def _result_of(request: dict[str, Any]) -> dict[str, Any]:
    recorder = Recorder(request["tests"])
    plugins: list[object] = [recorder]
    overlay = Overlay(request["path"], request["source"].encode()) if "path" in request else None
    arguments = pytest_arguments(request["test"], request["scratch"], request["arguments"])
    # The sources of a whole traceback are much work, and nobody reads them.
    arguments.append("--tb=native")
    if overlay:
        overlay.install()
        plugins.append(overlay)
        arguments.append("-x")
    code = pytest.main(arguments, plugins=plugins)
    return recorder.result(int(code)) | {"is_applied": overlay is None or overlay.is_used}


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        Server(socket.socket(fileno=int(sys.argv[1]))).serve()
