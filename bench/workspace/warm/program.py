"""A test program that is no pytest, and which starts when all services are ready: it only connects to each."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

if __name__ == "__main__":
    runtime = json.loads(Path(os.environ["REALSERVICES_RUNTIME"]).read_text(encoding="utf-8"))
    for service in runtime["services"].values():
        socket.create_connection((service["host"], service["port"])).close()
