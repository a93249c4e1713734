"""What a template tells of its schema, so that no test session has to ask its server (isolation/traits.py)."""

from __future__ import annotations

import os

from realservices.kinds.postgres.traits_query import AT_START, NEXT_TRANSACTION, TRAITS_FILE, traits_query

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.kinds.postgres.template.cluster import Cluster


def tell_traits(cluster: Cluster, source: str) -> None:
    """Write down what the schema of a database does by itself. Nothing may be written to the server after that.

    Raises:
        TemplateError: The server does not say it.
    """
    queries = f"SELECT {NEXT_TRANSACTION} + {AT_START}", traits_query(cluster.version_num)
    lines = cluster.ask(source, *queries, what=f"cannot ask what the schema of database {source!r} does by itself")
    path = os.path.join(cluster.data, TRAITS_FILE)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    os.chmod(path, 0o600)  # As the server's files, whatever the user's umask is.
