"""Pack the modules of one distribution into an archive that Python imports from as it is.

Each file of a target is a link in a local sandbox, and a digest and a download on a remote worker; pytest alone has a
thousand. Reading from an uncompressed archive is as fast. What the interpreter cannot load from there, extension
modules, stays beside it, and a module in the archive loads it.

Written for any `python3` a machine may have (3.8 and later), as pip_wheels.py is.
"""

from __future__ import annotations

import os
import re
import zipfile

# The earliest date that the format can hold.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644 << 16

_COMPILED = re.compile(r"__pycache__/([^/]+)\.cpython-\d+t?\.pyc$")
# With a tag: without, it may as well be a library that a module opens by its path. A package needs its own path.
_EXTENSION = re.compile(r"(?<!/__init__)\.(cpython-\d+t?-[^/]+|abi3)\.so$")
# Nothing opens these by their path: sources and their metadata are asked for through the import system.
_READ_BY_IMPORT = re.compile(r"\.pyi?$|(^|/)py\.typed$|^[^/]+\.dist-info/")

_LOADER = '''\
"""Loads the extension module of this name, which lies beside the archive: {path}."""

import importlib.util
import os
import sys

_spec = importlib.util.spec_from_file_location(__name__, os.path.join(os.path.dirname(__loader__.archive), {path!r}))
sys.modules[__name__] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules[__name__])
'''


def is_extension(path: str) -> bool:
    """Return whether a file is an extension module, and no library that one needs: those lie in `<name>.libs`."""
    return bool(_EXTENSION.search(path)) and not path.split("/")[0].endswith(".libs")


def can_be_packed(paths: list[str]) -> bool:
    """Return whether a distribution of these files works from an archive.

    Data files are opened by their path, and libraries are looked for beside the modules that need them.
    """
    return all(_COMPILED.search(path) or _READ_BY_IMPORT.search(path) or is_extension(path) for path in paths)


def pack(directory: str, archive: str) -> bool:
    """Move the modules of an installed distribution into an archive, if it works from there.

    Args:
        directory: Where it is installed. Its extension modules, and only those, are there afterwards.
        archive: The file to write. What Python adds to `sys.path`.

    Returns:
        Whether there is an archive now.
    """
    paths = _files_below(directory)
    if not can_be_packed(paths):
        return False
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for member, content in sorted(_members(directory, paths).items()):
            entry = zipfile.ZipInfo(member, _EPOCH)
            entry.external_attr = _REGULAR_FILE
            file.writestr(entry, content)
    for path in paths:
        if not is_extension(path):
            os.unlink(os.path.join(directory, path))
    _remove_empty_directories(directory)
    return True


def _files_below(directory: str) -> list[str]:
    found = []
    for root, _, names in os.walk(directory):
        found += [os.path.relpath(os.path.join(root, name), directory) for name in names]
    return sorted(found)


def _members(directory: str, paths: list[str]) -> dict[str, bytes]:
    members = {}
    for path in paths:
        if not is_extension(path):
            with open(os.path.join(directory, path), "rb") as file:
                # zipimport looks for `a/b.pyc` beside `a/b.py`.
                members[_COMPILED.sub(r"\1.pyc", path)] = file.read()
    for path in filter(is_extension, paths):
        # As in a directory, an extension module comes before a module of its name.
        name = _EXTENSION.sub(".py", path)
        members.pop(name + "c", None)
        members[name] = _LOADER.format(path=os.path.join(os.path.basename(directory), path)).encode("utf-8")
    return members


def _remove_empty_directories(directory: str) -> None:
    for root, _, _ in os.walk(directory, topdown=False):
        if root != directory and not os.listdir(root):
            os.rmdir(root)
