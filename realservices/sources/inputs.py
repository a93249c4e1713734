"""The files that a program of the project runs on, as it declares them in `inputs`, and the packages beside them."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.sources.patterns import own_folders

if TYPE_CHECKING:
    from realservices.sources.declarations import Declaration

_COMPILED = "__pycache__"


def input_files(declaration: Declaration) -> list[str]:
    """Return the paths of its inputs. A directory stands for all in it that no tool has put there.

    Raises:
        SettingError: A pattern matches nothing.
    """
    found = [path for path in declaration.files("inputs") if _COMPILED not in path.parts]
    files = {str(path) for path in found if not path.is_dir()}
    for path in found:
        files.update(f"{folder}/{name}" for folder, names in own_folders(path) for name in names)
    return sorted(files)


def site_directories(program: Path) -> list[str]:
    """Return the directories that pip installs to, here and in a program's environment: any change there changes them.

    Args:
        program: One such as uvicorn is a script that says which interpreter it is for; that one is beside it.
    """
    beside = program.parent.parent.glob("lib*/python3*/site-packages")
    return sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *map(str, beside)})


def installed_packages(program: Path) -> list[str]:
    """Return what is installed in the same environments, by names that hold the versions."""
    names = {
        path.name
        for directory in site_directories(program)
        if Path(directory).is_dir()
        for path in Path(directory).iterdir()
        if path.name.endswith((".dist-info", ".egg-info", ".pth"))
    }
    return sorted(names)
