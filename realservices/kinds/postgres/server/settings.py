"""Server settings for a PostgreSQL whose data nobody will miss after the test.

Used by the server of a test and by the build action that makes its template, so that both agree. The measurements
behind the values stand in docs/design.md.
"""

from __future__ import annotations

_LEAN = {
    # Durability: the data lives as long as the test. What is committed is written, though, only not flushed to disk:
    # a test that kills the server must find it again.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # What a test has written is read there when its database is restored; checkpoints must leave it.
    "wal_keep_size": "16MB",
    # Background work that a short life never needs.
    "autovacuum": "off",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    # Memory: tables in shared memory are touched when the server starts, so each entry that nobody needs costs.
    "shared_buffers": "8MB",
    "wal_buffers": "128kB",
    "max_worker_processes": "1",
    "max_replication_slots": "0",
    "huge_pages": "off",
    # Files in the data directory, not in /dev/shm: they vanish with it even after SIGKILL.
    "dynamic_shared_memory_type": "mmap",
    # The same answers on every machine.
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_checkpoints": "off",
}
_WITHOUT_REPLICATION = (
    "max_wal_senders",
    "max_replication_slots",
    "max_logical_replication_workers",
    "max_worker_processes",  # One is the launcher of those that apply what a subscription gets.
)
_STEADY = {
    # A checkpoint that the time or the size of the log asks for moves what is written after it in the log.
    "checkpoint_timeout": "1d",
    "max_wal_size": "4GB",
    # Whether a page can be cleaned up depends on who else looks at it.
    "bgwriter_lru_maxpages": "0",
    # A row is marked as committed only when its commit is known to be on disk.
    "synchronous_commit": "on",
    # Which worker gets which rows is a matter of time.
    "max_parallel_maintenance_workers": "0",
}
_FROM_VERSION = {
    # Worker processes for reading ahead cost 3 MB and a fork each; slots for vacuum, which is off, cost memory.
    180000: {"io_method": "sync", "autovacuum_worker_slots": "1"},
}


def steady_settings(own: dict[str, str], server_version_num: int) -> dict[str, str]:
    """Return the settings of a server that makes a template: the same statements always make the same files."""
    return server_settings(own, server_version_num) | _STEADY


def server_settings(own: dict[str, str], server_version_num: int) -> dict[str, str]:
    """Return the lean settings for a server version with the user's own laid over them."""
    settings = dict(_LEAN)
    if own.get("wal_level", "minimal") != "minimal":
        for name in _WITHOUT_REPLICATION:
            del settings[name]  # Whoever wants the log for replication wants what reads it.
    for first_version, values in _FROM_VERSION.items():
        if server_version_num >= first_version:
            settings |= values
    return settings | own
