"""The program under test that does what the test says: it reports itself on a unix socket and obeys commands.

Run by a launcher with ACTOR_SOCKET in its environment. First it sends one JSON line about itself; then it reads
commands, one JSON line each, and answers each with one line, until it is told to exit or is killed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time


def main() -> int:
    """Serve the test until it says ``exit``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(os.environ["ACTOR_SOCKET"])
        stream = connection.makefile("rw", encoding="utf-8")
        _send(stream, {"pid": os.getpid(), "arguments": sys.argv[1:], "environment": dict(os.environ)})
        for line in stream:
            command = json.loads(line)
            action = command["do"]
            if action == "exit":
                return int(command["code"])
            if action == "ignore":
                signal.signal(command["signal"], signal.SIG_IGN)
            elif action == "daemonize":
                _send(stream, {"pid": _daemonize(connection, restless=command["restless"])})
                continue
            elif action == "die":
                os.kill(os.getpid(), command["signal"])
            elif action == "report":
                with open(os.environ["XML_OUTPUT_FILE"], "w", encoding="utf-8") as file:
                    file.write(command["text"])
            elif action == "premature":
                with open(os.environ["TEST_PREMATURE_EXIT_FILE"], "w", encoding="utf-8"):
                    pass
            elif action == "log":
                print(command["text"], flush=True)
            _send(stream, {"done": action})
    return 1


def _send(stream: object, message: dict[str, object]) -> None:
    stream.write(json.dumps(message) + "\n")  # type: ignore[attr-defined]
    stream.flush()  # type: ignore[attr-defined]


def _daemonize(connection: socket.socket, *, restless: bool) -> int:
    """Fork twice, as daemons do, and return the grandchild's process id; a restless one forks itself away for ever."""
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.setsid()
        pid = os.fork()
        if pid:
            os.write(write_end, str(pid).encode())
            os._exit(0)
        connection.close()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(0.001 if restless else 3600)
            if restless and os.fork():
                os._exit(0)
    os.wait()
    return int(os.read(read_end, 20))


if __name__ == "__main__":
    sys.exit(main())
