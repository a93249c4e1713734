"""A process that leases a template, prints where it lies as JSON, and keeps it until its standard input ends."""

from __future__ import annotations

import json
import os
import sys

from realservices.contract.errors import RealServicesError
from realservices.host.template_tree import Template
from realservices.host.unpacked_templates import lease_template


def main(archive: str, digest: str, size_bytes: int) -> int:
    """Lease the template, or print why not and return 1."""
    print("ready", flush=True)
    # All that were started together begin together.
    sys.stdin.readline()
    try:
        lease = lease_template(Template(archive, digest, size_bytes))
    except (OSError, RealServicesError) as error:
        print(json.dumps({"error": str(error)}), flush=True)
        sys.stdin.read()
        return 1
    print(json.dumps({"path": lease.path, "inode": os.stat(lease.path).st_ino}), flush=True)
    sys.stdin.read()
    lease.release()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
