"""The program that makes a project's schema, where its files say how it is started: Alembic, Flask-Migrate, Django."""

from __future__ import annotations

import configparser
import posixpath
import re
from typing import TYPE_CHECKING, Any

from realservices.cli.proposal.other_programs import Migrator, started_in
from realservices.cli.proposal.project_files import find_named, has_own_tests, walk
from realservices.sources.patterns import matches

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from realservices.cli.proposal.project_evidence import Evidence

_READS_ENVIRONMENT = re.compile(r"environ|getenv|settings|config\(|dj_database_url|Env\(|current_app")
_APPLICATION = re.compile(r"^\w+\s*=\s*(?:Flask|create_app)\(|^def (?:create|make)_app\(", re.MULTILINE)
_DJANGO_READS = ("**/settings*.py", "**/settings/*.py", "**/models.py", "**/models/*.py", "**/migrations/*.py")
_FOUND_BY_FLASK = ("app.py", "wsgi.py")


def migrator_of(found: Evidence, tool_alembic: Mapping[str, Any]) -> Migrator | None:
    """Return a project's program.

    Args:
        found: What was found until now; what cannot be read is added to it.
        tool_alembic: ``[tool.alembic]`` of its pyproject.toml.
    """
    return _django(found) or _flask(found) or _alembic(found, tool_alembic)


def _django(found: Evidence) -> Migrator | None:
    for path in find_named(found.root, "manage.py"):
        if "DJANGO_SETTINGS_MODULE" in found.text(path) and not _is_another_project(found, path):
            shown = path.relative_to(found.root).as_posix()
            present = [pattern for pattern in _DJANGO_READS if matches(found.root, pattern)]
            return Migrator(["{python}", shown, "migrate", "--noinput"], [shown, *present])
    return None


def _flask(found: Evidence) -> Migrator | None:
    for path in find_named(found.root, "alembic.ini"):
        folder = path.parent.relative_to(found.root).as_posix()
        if "current_app" not in found.text(path.parent / "env.py") or _is_another_project(found, path.parent):
            continue
        application = _application(found)
        command = ["{python}", "-m", "flask", *(["--app", application] if application else []), "db", "upgrade"]
        if folder != "migrations":
            command += ["--directory", folder]
        return Migrator(command, [f"{folder}/**/*.py"], f"{folder}/versions")
    return None


def _application(found: Evidence) -> str:
    """Return what flask is to be told of the application, "" if it finds that by itself."""
    if variable := found.variables.get("FLASK_APP"):
        return variable.value
    if any((found.root / name).is_file() for name in _FOUND_BY_FLASK):
        return ""
    for here, files in walk(found.root):
        for name in files:
            path = here / name
            if name.endswith(".py") and name != "conftest.py" and _APPLICATION.search(found.text(path)):
                module = path.relative_to(found.root).with_suffix("").as_posix().removesuffix("/__init__")
                return module.replace("/", ".")
    return ""


def _alembic(found: Evidence, tool_alembic: Mapping[str, Any]) -> Migrator | None:
    folder = tool_alembic.get("script_location")
    if isinstance(folder, str):
        return _of_scripts(found, found.root, "pyproject.toml", folder)
    for path in find_named(found.root, "alembic.ini"):
        if _is_another_project(found, path):
            continue
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(found.text(path))
            folder = parser.get("alembic", "script_location")
        except configparser.Error as error:
            found.unread.append(f"{path.relative_to(found.root)}: {error}")
            continue
        return _of_scripts(found, path.parent, "alembic.ini", folder)
    return None


def _of_scripts(found: Evidence, directory: Path, file: str, folder: str) -> Migrator:
    """Return Alembic, which is started in the directory of its file: what that says starts there."""
    below = directory.relative_to(found.root).as_posix()
    package, colon, rest = folder.partition(":")
    folder = posixpath.join(package.replace(".", "/"), rest) if colon else folder.replace("%(here)s/", "")
    scripts = posixpath.normpath(posixpath.join(below, folder.strip("/")))
    command = ["{python}", "-m", "alembic", "upgrade", "head"]
    script = f"{scripts}/env.py"
    reads = _READS_ENVIRONMENT.search(found.text(found.root / script))
    inputs = [posixpath.normpath(posixpath.join(below, file)), f"{scripts}/**/*.py"]
    return Migrator(started_in(below, command), inputs, f"{scripts}/versions", "" if reads else script)


def _is_another_project(found: Evidence, path: Path) -> bool:
    """Say where a program is that belongs to a project below this one."""
    directory = path if path.is_dir() else path.parent
    for parent in (directory, *directory.parents):
        if not parent.is_relative_to(found.root):
            break
        if has_own_tests(found.root, parent):
            shown = parent.relative_to(found.root).as_posix()
            found.elsewhere.setdefault(shown, path.relative_to(found.root).as_posix())
            return True
    return False
