"""A server that does what its arguments say, one after the other, and then waits for its end.

``http PORT STATUS,STATUS… BODY`` answers requests, the last status for ever; ``listen PORT`` accepts and never answers;
``late PORT GO PATH`` adds the first line of one request to PATH, and answers it when there is a file GO; ``talk PORT TEXT``
says TEXT to each client; ``print TEXT``, ``partial TEXT`` (no line end), ``flood BYTES`` writes a line so long, ``exit CODE``;
``ask PORT`` tries to listen, and goes on if the port is taken; ``dump PATH`` writes down what it
was given; ``touch PATH`` makes a file; ``await PATH`` waits for one; ``pause SECONDS`` lets time pass; ``burn SECONDS``
keeps the processor busy; ``ignore SIGNAL``; ``at SIGNAL PATH TEXT`` adds a line to a file at that signal and ends;
``child PATH`` forks a process that stays and writes its id to PATH; ``worker PATH`` forks one that is a daemon without an
environment, keeps the ports and writes its id to PATH; ``nginx DIRECTORY PORT`` becomes nginx; ``once PATH CODE`` exits with CODE unless PATH exists, which it then makes.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable


def _listen(port: str) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen(16)
    return listener


def _ask(port: str) -> None:
    with contextlib.suppress(OSError):
        _LISTENERS.append(_listen(port))


def _serve(port: str, answer: Callable[[], bytes]) -> None:
    listener = _listen(port)

    def talk(connection: socket.socket) -> None:
        content = answer()
        if content.startswith(b"HTTP/"):
            connection.recv(65536)  # The whole request; its end comes only with the answer's.
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        # Closed with something unread, a connection is reset, and the answer may be lost.
        while connection.recv(65536):
            pass

    def run() -> None:
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                talk(connection)

    threading.Thread(target=run, daemon=True).start()


def _http(port: str, statuses: str, body: str) -> None:
    left = statuses.split(",")

    def answer() -> bytes:
        status = left.pop(0) if len(left) > 1 else left[0]
        return f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    _serve(port, answer)


def _late(port: str, go: str, path: str) -> None:
    listener = _listen(port)
    connection, _ = listener.accept()
    _append(path, connection.recv(65536).decode().partition("\r\n")[0])
    _await(go)
    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    _LISTENERS.append(listener)


def _dump(path: str) -> None:
    given = {"arguments": sys.argv[1:], "environment": dict(os.environ), "cwd": os.getcwd()}
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(given, file)
    os.rename(path + ".new", path)


def _append(path: str, text: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(text + "\n")


def _await(path: str) -> None:
    deadline = time.monotonic() + 60
    while not os.path.exists(path) and time.monotonic() < deadline:
        select.select([], [], [], 0.001)


def _at(name: str, path: str, text: str) -> None:
    def end(number: int, frame: object) -> None:
        _append(path, text)
        os._exit(0)

    signal.signal(signal.Signals[name], end)


def _child(path: str) -> None:
    pid = os.fork()
    if pid == 0:
        while True:
            signal.pause()
    _append(path, str(pid))


def _worker(path: str) -> None:
    for listener in _LISTENERS:
        listener.set_inheritable(True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            _append(path, str(os.getpid()))
            os.execve("/bin/sleep", ["sleep", "1000"], {})
        os._exit(0)
    os.wait()


def _nginx(directory: str, port: str) -> None:
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {directory}/{name}; " for name in names)
    # Root in a sandbox has no other id to give to its workers.
    user = "user root root;" if os.geteuid() == 0 else ""
    with open(f"{directory}/nginx.conf", "w", encoding="utf-8") as file:
        file.write(
            f"{user} daemon off; worker_processes 2; error_log stderr; pid {directory}/nginx.pid; events {{}} "
            f"http {{ access_log off; {temporary} "
            f"server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }} }}"
        )
    os.execv("/usr/sbin/nginx", ["nginx", "-c", f"{directory}/nginx.conf"])


def _once(path: str, code: str) -> None:
    if not os.path.exists(path):
        _append(path, "")
        print("not yet", flush=True)
        os._exit(int(code))


def _burn(seconds: str) -> None:
    end = time.process_time() + float(seconds)
    while time.process_time() < end:
        pass


def _flood(size: str) -> None:
    for _ in range(int(size) // _PIECE_BYTES):
        os.write(1, b"x" * _PIECE_BYTES)
    print(flush=True)


_PIECE_BYTES = 10000
_LISTENERS: list[socket.socket] = []
_ACTIONS: dict[str, tuple[int, Callable[..., object]]] = {
    "ask": (1, _ask),
    "at": (3, _at),
    "await": (1, _await),
    "burn": (1, _burn),
    "child": (1, _child),
    "dump": (1, _dump),
    "flood": (1, _flood),
    "exit": (1, lambda code: os._exit(int(code))),
    "http": (3, _http),
    "ignore": (1, lambda name: signal.signal(signal.Signals[name], signal.SIG_IGN)),
    "late": (3, _late),
    "listen": (1, lambda port: _LISTENERS.append(_listen(port))),
    "nginx": (2, _nginx),
    "once": (2, _once),
    "partial": (1, lambda text: print(text, end="", flush=True)),
    "pause": (1, lambda seconds: select.select([], [], [], float(seconds))),
    "print": (1, lambda text: print(text, flush=True)),
    "talk": (2, lambda port, text: _serve(port, text.encode)),
    "touch": (1, lambda path: _append(path, "")),
    "worker": (1, _worker),
}


if __name__ == "__main__":
    words = sys.argv[1:]
    while words:
        count, act = _ACTIONS[words.pop(0)]
        act(*words[:count])
        del words[:count]
    while True:
        signal.pause()
