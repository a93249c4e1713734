"""The environment of a program that is built on libpq, psql for instance: where it connects, and nothing else.

What a developer has set for servers of his own (PGSSLMODE, PGOPTIONS, PGSERVICE, a ~/.pgpass, ~/.postgresql) must not
change, or break, connections to a test's servers. Sources: https://www.postgresql.org/docs/current/libpq-envars.html,
libpq-pgpass.html and libpq-ssl.html there.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NO_FILE = "/dev/null/none"
"""A file that cannot be there. libpq takes it for none, also in place of the one in the home directory."""


def libpq_environment(
    environ: Mapping[str, str],
    *,
    host: str,
    port: int,
    user: str,
    password: str,
    database: str,
    sslmode: str = "disable",
    sslrootcert: str = "",
) -> dict[str, str]:
    """Return an environment by which a libpq program connects as the arguments say, whatever the developer has set.

    Arguments of the program would not do: every user of the machine can read those.

    Args:
        environ: The program's environment otherwise. Variables of libpq in it are left out.
        host: libpq's parameter of this name, as are the following ones.
        port: See there.
        user: See there.
        password: See there.
        database: See there, `dbname`.
        sslmode: See there.
        sslrootcert: See there; empty: none.
    """
    return without_libpq(environ) | {
        "PGHOST": host,
        "PGPORT": str(port),
        "PGUSER": user,
        "PGPASSWORD": password,
        "PGDATABASE": database,
        "PGSSLMODE": sslmode,
        "PGSSLROOTCERT": sslrootcert or NO_FILE,
        **dict.fromkeys(("PGPASSFILE", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL"), NO_FILE),
        "PGGSSENCMODE": "disable",
    }


def without_libpq(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables of libpq; those of a project's own (``PG_OWNER``) stay."""
    return {name: value for name, value in environ.items() if not _is_libpqs(name)}


def _is_libpqs(name: str) -> bool:
    return name == "PGCONNECT_TIMEOUT" or (name.startswith("PG") and name.isalpha() and name.isupper())
