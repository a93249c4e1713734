"""Makes a data directory the same whenever and wherever it was made: the last step, after the server has ended.

What the server's own tables say of times is set before, by SQL (noted.py). What is left is in files: who made them, and
how the log came about. A file whose format is not known here stays as it is.
"""

from __future__ import annotations

import os
import re

from realservices.kinds.mariadb.template.aria import forget_aria_origin, forget_log, forget_myisam_origin
from realservices.kinds.mariadb.template.definitions import forget_definitions_origin
from realservices.kinds.mariadb.template.innodb_log import begin_log
from realservices.kinds.mariadb.template.innodb_pages import forget_history
from realservices.kinds.mariadb.template.innodb_system import forget_way

# What a server makes anew, and what tells two servers apart.
_TRANSIENT = ("ib_buffer_pool", "ibtmp1", "multi-master.info")
_DEFINITIONS = (".frm", ".TRG")
_PAGES = re.compile(r".*\.ibd|ibdata1|undo\d+")
_MOST_TABLES = 8191


def forget_origin(data: str) -> None:
    """Make the files of a server that has been shut down, slowly, the same as any other server's with the same content.

    Args:
        data: The data directory.

    Raises:
        OSError: A file cannot be read or written.
    """
    for name in _TRANSIENT:
        if os.path.exists(f"{data}/{name}"):
            os.unlink(f"{data}/{name}")
    has_begun = begin_log(f"{data}/ib_logfile0")
    if has_begun:
        forget_way(f"{data}/ibdata1")
    forget_log(data)
    tables = 0
    for name in _files(data):
        path = f"{data}/{name}"
        if name.endswith(_DEFINITIONS):
            forget_definitions_origin(path, name)
        elif name.endswith(".MYI"):
            forget_myisam_origin(path)
        elif name.endswith(".MAI"):
            tables += 1
            forget_aria_origin(path, (tables - 1) % _MOST_TABLES + 1)
        elif has_begun and _PAGES.fullmatch(name):
            forget_history(path)


def _files(data: str) -> list[str]:
    found = []
    for root, _, names in os.walk(data):
        found += [os.path.relpath(f"{root}/{name}", data) for name in names]
    return sorted(name for name in found if not os.path.islink(f"{data}/{name}"))
