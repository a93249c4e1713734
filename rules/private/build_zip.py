"""Write the archive of the rule `python_zip`: every module as source and compiled, byte for byte the same each time.

The interpreter's zipimport looks for `a/b.pyc` beside `a/b.py`, and falls back to the source if an interpreter of
another version wrote the former. Compiled as "unchecked-hash" (PEP 552), because a time stamp would differ each time.
"""

from __future__ import annotations

import argparse
import os
import py_compile
import tempfile
import zipfile

# The earliest date that the format can hold.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644 << 16


def read(path: str) -> bytes:
    """Return the content of a file."""
    with open(path, "rb") as file:
        return file.read()


def compiled(*, name: str, path: str, directory: str) -> bytes:
    """Compile a module that tracebacks are to show as `name`; `directory` takes the result in between."""
    output = os.path.join(directory, "module.pyc")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(path, cfile=output, dfile=name, doraise=True, invalidation_mode=mode)
    return read(output)


def write_archive(output: str, members: dict[str, str]) -> None:
    """Write the files of `members` (name in the archive: path), stored: unpacking costs more than reading here."""
    with (
        tempfile.TemporaryDirectory(dir=os.path.dirname(output)) as directory,
        zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, path in sorted(members.items()):
            code = compiled(name=name, path=path, directory=directory)
            for member, content in ((name, read(path)), (name + "c", code)):
                entry = zipfile.ZipInfo(member, _EPOCH)
                entry.external_attr = _REGULAR_FILE
                archive.writestr(entry, content)


def main() -> None:
    """Parse the command line that the rule wrote."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", required=True)
    parser.add_argument("members", nargs="+", metavar="NAME=PATH")
    arguments = parser.parse_args()
    write_archive(arguments.output, dict(member.split("=", 1) for member in arguments.members))


if __name__ == "__main__":
    main()
