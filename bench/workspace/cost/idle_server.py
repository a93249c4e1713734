"""A server that only has to be there: what it would write, the tests of `servers` write themselves."""

from __future__ import annotations

import http.server
import sys

if __name__ == "__main__":
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.BaseHTTPRequestHandler).serve_forever()
