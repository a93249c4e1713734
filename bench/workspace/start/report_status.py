"""The test program of the target `started`: prints what the launcher says of its services, as one line of JSON."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path


def main() -> None:
    """Ask the control socket and print the answer."""
    control = json.loads(Path(os.environ["REALSERVICES_RUNTIME"]).read_text(encoding="utf-8"))["control"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(control)
        connection.sendall(b'{"op": "status"}\n')
        with connection.makefile(encoding="utf-8") as answers:
            print("status:" + answers.readline().rstrip("\n"), flush=True)


if __name__ == "__main__":
    main()
