"""Settings of the server that migrations make, and that servers of tests do not have: theirs come first.

ALTER SYSTEM writes a file, and what a server is started with comes before that. Most of it is of no matter to a test
(memory, durability); of this a test would see that it is not production's.
"""

from __future__ import annotations

import os
import re

from realservices.contract.errors import TemplateError
from realservices.kinds.postgres.server.settings import server_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.kinds.postgres.template.cluster import Cluster

_SEEN = ("lc_messages", "max_replication_slots", "max_wal_senders", "timezone", "wal_level")
_LINE = re.compile(r"^(\w+) = '(.*)'$", re.MULTILINE)


def refuse_overridden(cluster: Cluster, settings: dict[str, str]) -> None:
    """Refuse such settings.

    Args:
        cluster: The server, which runs.
        settings: The service's own.

    Raises:
        TemplateError: There is one.
    """
    with open(os.path.join(cluster.data, "postgresql.auto.conf"), encoding="utf-8", errors="replace") as file:
        written = {name.lower(): value for name, value in _LINE.findall(file.read())}
    started_with = server_settings(settings, cluster.version_num)
    for name in _SEEN:
        value, given = written.get(name), started_with.get(name)
        if value is not None and given is not None and value.lower() != given.lower():
            raise TemplateError(
                f"the files say ALTER SYSTEM SET {name} = '{value}', and servers of tests are started with {name} = "
                f"{given}, which comes before that: take the statement out, and write settings = "
                f'{{"{name}": "{value}"}} on the service (in TOML: settings = {{ {name} = "{value}" }})'
            )
