"""The build action that packs a server's programs into one archive, for remote workers.

Usage: `template.zip programs --root DIR --output FILE --info FILE PATH ...`. Links are followed: a sandbox has nothing
else. Modes are 0700 or 0600, whatever umask they were unpacked with.
"""

from __future__ import annotations

import argparse
import json
import os
import stat

from realservices.kinds.postgres.template.archive import sorted_tree, write_archive

_PROGRAM_MODE, _FILE_MODE = 0o700, 0o600


def main(arguments: list[str]) -> int:
    """Write the archive and its description."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars="@")
    parser.add_argument("--root", required=True, help="what names in the archive start from")
    parser.add_argument("--output", required=True)
    parser.add_argument("--info", required=True)
    parser.add_argument("paths", nargs="+", help="files and directories below the root")
    options = parser.parse_args(arguments)
    described = write_archive(options.root, options.output, _files(options.root, options.paths), {})
    with open(options.info, "w", encoding="utf-8") as file:
        json.dump({key: described[key] for key in ("archive_digest", "size_bytes")}, file)
    return 0


def _files(root: str, paths: list[str]) -> dict[str, os.stat_result]:
    names: set[str] = set()
    for path in paths:
        name = os.path.relpath(path, root)
        names.add(name)
        if os.path.isdir(path):
            names |= {f"{name}/{inner}" for inner in sorted_tree(path)}
    for name in list(names):
        while name := os.path.dirname(name):
            names.add(name)
    return {name: _status(os.path.join(root, name)) for name in sorted(names)}


def _status(path: str) -> os.stat_result:
    status = os.stat(path)
    mode = _PROGRAM_MODE if status.st_mode & stat.S_IXUSR else _FILE_MODE
    return os.stat_result((stat.S_IFMT(status.st_mode) | mode, *status[1:]))
