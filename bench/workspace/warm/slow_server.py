"""A server that takes its time: it listens 300 ms after its start at the earliest."""

from __future__ import annotations

import sys
import time
from http.server import HTTPServer, SimpleHTTPRequestHandler

if __name__ == "__main__":
    time.sleep(0.3)
    HTTPServer(("127.0.0.1", int(sys.argv[1])), SimpleHTTPRequestHandler).serve_forever()
