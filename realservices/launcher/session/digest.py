"""What a service is, as a digest: two starts with the same digest would make the same service.

Files are identified by what the kernel says of them, not by their content. That is quick, and a file that was changed
and changed back counts as another one: a running program may have read either.
"""

from __future__ import annotations

import hashlib
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def service_digest(entry: dict[str, Any], needs: Mapping[str, str]) -> str:
    """Return the digest of a service.

    Args:
        entry: Its entry of a manifest; ``made_of`` in it lists the files that it runs on.
        needs: Digests of the services that it needs.

    Returns:
        The digest, "" where nothing says what the service is made of.
    """
    files = entry.get("made_of")
    if not files or not all(needs.values()):
        return ""
    content = [entry, sorted(needs.items()), [[path, _stat(path)] for path in files]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _stat(path: str) -> list[int]:
    try:
        status = os.stat(path)
    except OSError:
        return []
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
