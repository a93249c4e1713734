"""Views, triggers, routines and events of an account that tests' servers lack: a dump names that of its own server."""

from __future__ import annotations

from realservices.contract.errors import TemplateError
from realservices.kinds.mariadb.names import quote_text
from realservices.kinds.mariadb.template.bootstrap import ADMINISTRATOR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.kinds.mariadb.wire import Connection

# Those that run with its rights. A role has no host, and none of these is one.
_DEFINED = """SELECT what, name, definer FROM (
    SELECT 'view' AS what, table_name AS name, definer, table_schema AS place FROM information_schema.views
        WHERE security_type = 'DEFINER'
    UNION ALL SELECT 'trigger', trigger_name, definer, trigger_schema FROM information_schema.triggers
    UNION ALL SELECT lower(routine_type), routine_name, definer, routine_schema FROM information_schema.routines
        WHERE security_type = 'DEFINER'
    UNION ALL SELECT 'event', event_name, definer, event_schema FROM information_schema.events) AS defined
    WHERE place = {} AND definer LIKE '%@_%' AND definer NOT IN (SELECT concat(user, '@', host) FROM mysql.global_priv
        WHERE (user, host) <> ({}, 'localhost')) ORDER BY what, name LIMIT 1"""


def refuse_lost_definers(connection: Connection, database: str, user: str) -> None:
    """Refuse what would fail in each test, since its definer is no account of the server.

    Args:
        connection: The administrator's, whose account ends with the build.
        database: The service's.
        user: The account of programs.

    Raises:
        TemplateError: There is one.
    """
    for what, name, definer in connection.run(_DEFINED.format(quote_text(database), quote_text(ADMINISTRATOR))):
        raise TemplateError(
            f"the {what} {name} has the definer {definer}, which is no account of tests' servers, so that it would "
            f"fail in each test: leave the clause DEFINER out of the file, so that it is {user}@% (from a dump, "
            "`sed 's/DEFINER=`[^`]*`@`[^`]*`//'` takes it out), or write DEFINER=CURRENT_USER"
        )
