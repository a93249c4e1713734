"""Whether a PostgreSQL of this machine works: a cluster is made and its server asked for the version."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from realservices.cli.checks.trial_process import in_child
from realservices.host.privileges import leave_root
from realservices.kinds.postgres.template.cluster import Cluster
from realservices.kinds.postgres.template.locale import Locale

if TYPE_CHECKING:
    from pathlib import Path


def version_of(distribution: Path, directory: str) -> str:
    """Start a server and return what it is.

    Args:
        distribution: Its directory.
        directory: For what it writes.

    Raises:
        OSError, RealServicesError: It does not work.
    """

    def make_and_ask() -> str:
        # As in a session: two levels deep, the upper one of which only this user may enter.
        work = f"{directory}/cluster"
        os.mkdir(work, 0o700)
        leave_root(work, f"{distribution}/bin/postgres")
        cluster = Cluster(str(distribution), work, "test", {})
        cluster.initialize(Locale())
        try:
            cluster.start()
            answer = cluster.psql("postgres", "-At", "-c", "SHOW server_version")
        finally:
            cluster.stop()
        if answer.returncode:
            raise OSError(answer.stderr)
        return f"PostgreSQL {answer.stdout.split()[0]}"

    return in_child(make_and_ask)
