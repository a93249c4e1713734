"""A process that takes a slot, prints its ports as JSON, and holds it until its standard input ends."""

from __future__ import annotations

import json
import sys

from realservices.contract.errors import InfrastructureError
from realservices.host.slots import acquire_slot


def main(port_count: int) -> int:
    """Take the slot, or print why not and return 1."""
    try:
        slot = acquire_slot(port_count)
    except InfrastructureError as error:
        print(json.dumps({"error": f"{error.component}: {error.reason}"}), flush=True)
        return 1
    print(json.dumps({"ports": slot.ports}), flush=True)
    sys.stdin.read()
    slot.release()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
