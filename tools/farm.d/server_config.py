"""The configuration of BuildGrid for a farm on one machine."""

from __future__ import annotations

from pathlib import Path

# Polled ten times a second: the default of seconds would be most of a short action's time. Each stream of a client and
# each poll of a worker holds a thread. The wildcard keys are the action's business, and no worker is chosen by them.
_CONFIG = """\
server:
  - !channel
    address: "127.0.0.1:{port}"
    insecure-mode: true
authorization:
  method: none
connections:
  - !sql-connection &sql
    connection-string: {url}
    pool-size: 20
    max-overflow: 20
storages:
  - !disk-storage &cas
    path: {cas}
caches:
  - !lru-action-cache &actions
    storage: *cas
    max-cached-refs: 100000
    allow-updates: true
    cache-failed-actions: false
schedulers:
  - !sql-scheduler &scheduler
    sql: *sql
    storage: *cas
    action-cache: *actions
    poll-interval: 0.1
    bot-poll-interval: 0.1
    bot-session-keepalive-timeout: 20
    assigners:
      - !priority-age-assigner
        count: 2
        interval: 0.05
        priority-assignment-percentage: 90
    property-set: !dynamic-property-set
      match-property-keys: []
      wildcard-property-keys: [unixUID, unixGID, network]
instances:
  - name: ""
    services:
      - !action-cache
        cache: *actions
      - !execution
        scheduler: *scheduler
      - !cas
        storage: *cas
      - !bytestream
        storage: *cas
thread-pool-size: 400
maximum-concurrent-rpcs: 2000
"""


def server_config(*, url: str, cas: Path, port: int) -> str:
    """Return the text of the file.

    Args:
        url: Of the database.
        cas: Directory for files and results.
        port: To listen on.
    """
    return _CONFIG.format(url=url, cas=cas, port=port)
