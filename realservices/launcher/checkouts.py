"""Check-outs of the control socket: who holds what, and what becomes of it when they release it, end or die.

Isolation needs client libraries that the launcher does without, so a process of its own does the work
(isolation/checkout_program.py). It starts with the test program, where the target asks for it. A client holds what it
has checked out for as long as its connection to the control socket lives, so that one that is killed holds nothing.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time

from realservices.contract.errors import ManifestError
from realservices.host.process import spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.contract.manifest import ServiceSpec
    from realservices.launcher.supervisor import Supervisor

_PROGRAM = "from realservices.isolation.checkout_program import run; run()"
# What tests have left is looked for when all are over, by a process that has nothing else to do.
_FINDINGS_TIMEOUT_S = 30.0
_MOST_LOG_BYTES = 4000


class Checkouts:
    """What the tests of one action hold.

    Args:
        specs: The action's services.
        import_paths: Where the client libraries are, absolute.
        log: Path of a file for what the process says.
        supervisor: In whose loop answers are awaited.
    """

    def __init__(self, specs: list[ServiceSpec], import_paths: list[str], log: str, supervisor: Supervisor) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._import_paths = import_paths
        self._log = log
        self._supervisor = supervisor
        self._stream: socket.socket | None = None
        self._received = bytearray()
        self._count = 0
        # By number: the answer that has come, None before; and who holds it.
        self._answers: dict[int, dict[str, Any] | None] = {}
        self._holders: dict[int, object] = {}
        # Releases that nobody waits for, and what went wrong with them.
        self._unawaited: set[int] = set()
        self._problems: list[str] = []

    def start(self, env: dict[str, str]) -> None:
        """Start the process, with the test program's environment."""
        ours, theirs = socket.socketpair()
        here = os.path.abspath(sys.path[0])
        env = env | {"PYTHONPATH": os.pathsep.join([here, *self._import_paths])}
        output = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        argv = [sys.executable, "-s", "-S", "-P", "-B", "-c", _PROGRAM, str(theirs.fileno())]
        theirs.set_inheritable(True)
        spawn(argv, env=env, output=output)
        os.close(output)
        theirs.close()
        self._stream = ours
        self._supervisor.watch(ours.fileno(), self._receive)

    def check_out(self, request: dict[str, Any], holder: object) -> dict[str, Any]:
        """Ask for what a client wants; return the answer, which is complete ``after`` its condition.

        Args:
            request: The client's.
            holder: Whose end releases it.

        Raises:
            ManifestError: There is no such service.
        """
        spec = self._meant(request.get("service"))
        self._count += 1
        number = self._count
        self._holders[number] = holder
        self._ask(number, op="checkout", kind=spec.kind, service=spec.name, test=request.get("test") or "")
        answer: dict[str, Any] = {"id": number, "service": spec.name, "kind": spec.kind}

        def is_there() -> bool:
            if self._has_come(number):
                answer.update(self._taken(number)["fields"])
                return True
            return False

        answer["after"] = is_there
        return answer

    def release(self, request: dict[str, Any], holder: object) -> dict[str, Any]:
        """Release one, or all that a client holds; return the answer, which is complete ``after`` its condition.

        Raises:
            ManifestError: It does not hold that.
        """
        held = self._held_by(holder)
        wanted = request.get("id")
        if wanted is not None and wanted not in held:
            have = ", ".join(map(str, held)) or "none"
            raise ManifestError(f"this connection holds no check-out {wanted}; it holds {have}")
        numbers = held if wanted is None else [wanted]
        for number in numbers:
            self._release(number)

        def is_done() -> bool:
            if not all(self._has_come(number) for number in numbers):
                return False
            answers = [self._answers.pop(number) or {} for number in numbers]
            if errors := [answer["error"] for answer in answers if not answer["ok"]]:
                raise LookupError("; ".join(errors))
            return True

        return {"after": is_done}

    def forget(self, holder: object) -> None:
        """Release what a client holds that has gone, and what it still waits for."""
        for number in self._held_by(holder):
            answer = self._answers.get(number, {"ok": True})
            if answer is None:
                self._holders[number] = None  # Released as soon as it has come.
            elif answer["ok"]:
                self._release_unawaited(number)
            else:
                del self._holders[number]

    def findings(self) -> list[str]:
        """Return what tests have left that could not be undone. The test program has ended."""
        if self._stream is None or not self._count:
            return self._problems
        self._supervisor.unwatch(self._stream.fileno())
        for number in [number for number in self._holders if self._answers.get(number, {}) is not None]:
            self._release_unawaited(number)
        deadline = time.monotonic() + _FINDINGS_TIMEOUT_S
        try:
            self._await(self._unawaited.__len__, deadline)
            self._ask(0, op="findings")
            self._await(lambda: self._answers[0] is None, deadline)
        except OSError as error:
            return [*self._problems, f"what tests have left is not known: {error}"]
        answer = self._answers[0] or {}
        return [*self._problems, *answer.get("findings", [answer.get("error")])]

    def _await(self, is_missing: Callable[[], object], deadline: float) -> None:
        """Receive until nothing is missing any more.

        Raises:
            OSError: It takes too long.
        """
        while is_missing() and self._stream is not None:
            self._stream.settimeout(max(0.1, deadline - time.monotonic()))
            self._receive()

    def _meant(self, name: str | None) -> ServiceSpec:
        present = ", ".join(f"{spec.name} ({spec.kind})" for spec in self._specs.values()) or "none"
        if name is None and len(self._specs) == 1:
            return next(iter(self._specs.values()))
        if name is None:
            raise ManifestError(f"'service' is not given, and this test has more than one or none: {present}")
        if name not in self._specs:
            raise ManifestError(f"no service {name!r}; this test has {present}")
        return self._specs[name]

    def _held_by(self, holder: object) -> list[int]:
        return [number for number, each in self._holders.items() if each is holder]

    def _release(self, number: int) -> None:
        del self._holders[number]
        self._ask(number, op="release")

    def _release_unawaited(self, number: int) -> None:
        self._unawaited.add(number)
        self._release(number)

    def _ask(self, number: int, **request: Any) -> None:
        self._answers[number] = None
        if self._stream is None:
            self._note(number, {"ok": False, "error": self._end()})
            return
        try:
            self._stream.sendall(json.dumps({"id": number, **request}).encode() + b"\n")
        except OSError:
            self._lose()

    def _receive(self) -> None:
        assert self._stream
        try:
            more = self._stream.recv(65536)
        except TimeoutError:
            raise
        except OSError:  # It was killed with a request unread.
            more = b""
        if not more:
            self._lose()
            return
        self._received += more
        *lines, rest = self._received.split(b"\n")
        self._received = bytearray(rest)
        for line in lines:
            answer: dict[str, Any] = json.loads(line)
            self._note(answer["id"], answer)

    def _note(self, number: int, answer: dict[str, Any]) -> None:
        self._answers[number] = answer
        if number in self._unawaited:
            self._unawaited.remove(number)
            self._problems += [] if answer["ok"] else [answer["error"]]
            del self._answers[number]
        elif self._holders.get(number, self) is None:
            if answer["ok"]:
                self._release_unawaited(number)
            else:
                del self._holders[number]

    def _has_come(self, number: int) -> bool:
        return self._answers[number] is not None

    def _taken(self, number: int) -> dict[str, Any]:
        """Take an answer.

        Raises:
            LookupError: It says that something went wrong.
        """
        answer = self._answers.pop(number)
        assert answer is not None
        if not answer["ok"]:
            self._holders.pop(number, None)
            raise LookupError(answer["error"])
        return answer

    def _lose(self) -> None:
        """The process has ended: all who wait are told, and so is everybody after them."""
        if self._stream is not None:
            self._supervisor.unwatch(self._stream.fileno())
            self._stream.close()
            self._stream = None
        for number in [number for number, answer in self._answers.items() if answer is None]:
            self._note(number, {"ok": False, "error": self._end()})

    def _end(self) -> str:
        try:
            with open(self._log, "rb") as file:
                said = file.read()[-_MOST_LOG_BYTES:].decode(errors="replace").strip()
        except OSError:
            said = ""
        return f"the process that isolates for tests in other languages has ended; it said: {said or 'nothing'}"
