"""A server for tests of what starts it: `GET /health`, `/say/WORD`, `/end`, and what its arguments say.

--port N        where it listens
--ends          it ends at once, with a message
--silent        it never listens
--await F       it listens when something has been written to a FIFO
--ends-then     the same as --ends, when it has met others
--meets D:N     it listens when N of these servers have begun to wait in a directory, and then waits 0.3 s more; what it
                writes there is {"pid", "begun", "ready"}, by the clock that all processes share
--stubborn      it does not end at SIGTERM
--last-words F  at SIGTERM it writes its name (--name) into a file before it ends
--sick F        /health answers 503 while a file is there
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import signal
import sys
import threading
import time

_DEADLINE_S = 60.0


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--name", default="")
    parser.add_argument("--ends", action="store_true")
    parser.add_argument("--ends-then", action="store_true")
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--await", dest="awaited", default="")
    parser.add_argument("--meets", default="")
    parser.add_argument("--stubborn", action="store_true")
    parser.add_argument("--last-words", default="")
    parser.add_argument("--sick", default="")
    options = parser.parse_args()
    if options.ends:
        sys.exit("no licence found")
    if options.silent:
        print("looking for a database", flush=True)
        threading.Event().wait()

    if options.awaited:
        with open(options.awaited, encoding="utf-8") as file:
            file.read()

    if options.meets:
        meet(options.name, *options.meets.rsplit(":", 1))
    if options.ends_then:
        sys.exit("no licence found")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/say/"):
                print(self.path.removeprefix("/say/"), flush=True)
            if self.path == "/end":
                os._exit(3)
            is_sick = bool(options.sick) and os.path.exists(options.sick)
            self.send_response(503 if is_sick else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)

    def end(*_: object) -> None:
        if options.last_words:
            with open(options.last_words, "a", encoding="utf-8") as file:
                file.write(f"{options.name}\n")
        os._exit(0)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if options.stubborn else end)
    print(f"{options.name} serves", flush=True)
    server.serve_forever()


def meet(name: str, directory: str, number: str) -> None:
    """Wait for the others, and write down from when to when."""
    begun, pause = time.monotonic(), threading.Event()
    deadline = begun + _DEADLINE_S
    write(f"{directory}/{name}", {"pid": os.getpid(), "begun": begun})
    while len([each for each in os.listdir(directory) if not each.endswith(".new")]) < int(number):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{number} were to meet in {directory}, and there are {os.listdir(directory)}")
        pause.wait(0.01)
    pause.wait(0.3)
    write(f"{directory}/{name}", {"pid": os.getpid(), "begun": begun, "ready": time.monotonic()})


def write(path: str, content: dict[str, float]) -> None:
    """Write a file in one step."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.replace(f"{path}.new", path)


if __name__ == "__main__":
    main()
