"""Files that statements write into the directory of a database, as ``SELECT … INTO OUTFILE 'report.csv'`` does.

The server does not know them afterwards: it drops no database that has one, and never writes one twice
(https://mariadb.com/kb/en/select-into-outfile/).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realservices.kinds.mariadb.wire import Connection

# How the names of the server's own files end.
_OWN = {".frm", ".ibd", ".isl", ".opt", ".par", ".MYD", ".MYI", ".MAD", ".MAI", ".MRG", ".CSM", ".CSV", ".TRG", ".TRN"}


class WrittenFiles:
    """Those of a server whose data this process can see; of others none are known."""

    def __init__(self) -> None:
        self._data: Path | None = None

    def remove(self, connection: Connection, database: str) -> None:
        """Remove all that lie in the directory of a database of ours, whose name is that of the directory."""
        if self._data is None:
            self._data = Path(str(connection.run("SELECT @@datadir")[0][0]))
        directory = self._data / database
        if os.access(directory, os.R_OK | os.W_OK | os.X_OK):
            for file in directory.iterdir():
                if file.suffix not in _OWN and not file.name.startswith("#"):
                    file.unlink(missing_ok=True)
