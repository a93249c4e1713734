"""A template's own names of user and database, where it begins from one that has others.

initdb makes the user, and who is logged in cannot be renamed: another superuser does it, who is gone afterwards.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.kinds.postgres.template.cluster import Cluster

# For psql, one by one.
_RENAME_USER = (
    "CREATE ROLE realservices_renames SUPERUSER LOGIN",
    "\\connect postgres realservices_renames",
    'ALTER ROLE "{old}" RENAME TO "{new}"',
    '\\connect postgres "{new}"',
    "DROP ROLE realservices_renames",
)
_RENAME_DATABASE = ('ALTER DATABASE "{old}" RENAME TO "{new}"',)
# What the planner knows of them has the old names.
_LOOK_AGAIN = ('\\connect "{database}"', "ANALYZE pg_authid, pg_database")


def rename(cluster: Cluster, user: tuple[str, str], database: tuple[str, str]) -> None:
    """Rename what has another name.

    Args:
        cluster: The server, which nobody else uses.
        user: The superuser's name in the base, and here.
        database: The same of the programs' database.

    Raises:
        TemplateError: The server refuses it.
    """
    statements: list[str] = []
    for parts, (old, new) in ((_RENAME_USER, user), (_RENAME_DATABASE, database)):
        if old != new:
            statements += [part.format(old=old, new=new) for part in parts]
    if statements:
        statements += [part.format(database=database[1]) for part in _LOOK_AGAIN]
        what = "cannot give the template its names of user and database"
        cluster.ask("postgres", *statements, what=what, user=user[0])
