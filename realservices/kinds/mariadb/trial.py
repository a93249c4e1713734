"""Whether a MariaDB of this machine works: a data directory is made, and a server started on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.contract.errors import TemplateError
from realservices.kinds.mariadb.template.engine import Engine

if TYPE_CHECKING:
    from pathlib import Path


def version_of(program: Path, directory: str) -> str:
    """Start a server and return what it is.

    Args:
        program: It.
        directory: For its files.

    Raises:
        OSError: It does not work.
    """
    engine = Engine(str(program), {}, directory)
    try:
        with engine.start() as connection:
            return f"MariaDB {connection.server_version.removesuffix('-MariaDB')}"
    except TemplateError as error:
        raise OSError(str(error)) from None
    finally:
        engine.kill()
