"""The program that isolates for tests in other languages; launcher/checkouts.py starts it and speaks with it.

One JSON object per line each way, at the descriptor that is the first argument. Each request has its thread: a test
that waits for a database does not make others wait.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from realservices.contract.errors import RealServicesError
from realservices.isolation.checkout_databases import Checkouts
from realservices.isolation.isolation_manager import process_manager

if TYPE_CHECKING:
    from collections.abc import Callable


class _Program:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._checkouts = Checkouts(process_manager())

    def serve(self) -> None:
        """Answer requests until the launcher has ended."""
        threading.Thread(target=self._quietly, args=(self._checkouts.prepare,), daemon=True).start()
        for line in self._connection.makefile("rb"):
            request = json.loads(line)
            threading.Thread(target=self._answer, args=(request,), daemon=True).start()

    def _answer(self, request: dict[str, Any]) -> None:
        answer = {"id": request["id"]} | self._result(request)
        with self._sending:
            self._connection.sendall(json.dumps(answer).encode() + b"\n")

    def _result(self, request: dict[str, Any]) -> dict[str, Any]:
        checkouts = self._checkouts
        try:
            if request["op"] == "findings":
                return {"ok": True, "findings": checkouts.findings()}
            if request["op"] == "release":
                checkouts.release(request["id"])
                return {"ok": True}
            words = (request["kind"], request["service"], request["test"])
            return {"ok": True, "fields": checkouts.take(request["id"], *words)}
        except RealServicesError as error:
            return {"ok": False, "error": str(error)}
        except Exception as error:  # noqa: BLE001 - the test is told, and the trace is in the log
            traceback.print_exc()
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}

    def _quietly(self, work: Callable[[], None]) -> None:
        try:
            work()
        except RealServicesError as error:  # A check-out meets it, too.
            print(error, file=sys.stderr)


def run() -> None:
    """Serve the launcher."""
    _Program(socket.socket(fileno=int(sys.argv[1]))).serve()
