"""Imports from archives of libraries, as if they lay in directories: tracebacks show their files and lines.

The interpreter's importer leaves in compiled code the name of the file that was compiled, relative and on another
machine. By that name pytest finds neither the source to show nor its own frames, which it leaves out of tracebacks. The
importer of directories corrects the name in the same way. It also reads each module once; the interpreter's reads and
unmarshals it a second time to learn its file's name.
"""

from __future__ import annotations

import _imp
import sys
import zipimport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

# What the importer of directories calls (importlib/_bootstrap_external.py); without it names stay as they are.
_rename = getattr(_imp, "_fix_co_filename", None)


class _Importer(zipimport.zipimporter):
    """The importer of one archive."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of a module, with the name of its file in the archive."""
        code = super().get_code(fullname)
        if _rename:
            _rename(code, self.get_filename(fullname))
        return code

    def get_filename(self, fullname: str) -> str:
        """Return the path of a module's source in the archive."""
        ending = "/__init__.py" if self.is_package(fullname) else ".py"
        return f"{self.archive}/{self.prefix}{fullname.rpartition('.')[2]}{ending}"


def name_files_in_archives() -> None:
    """Import in this way what is imported from now on."""
    sys.path_hooks.insert(0, _Importer)
    # What was looked up before knows the other importer; the archives' own directories stay read.
    for path in [path for path in sys.path_importer_cache if path.endswith(".zip")]:
        del sys.path_importer_cache[path]
