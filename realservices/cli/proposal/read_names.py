"""Names of environment variables that a project's code reads, and what they are without one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.cli.proposal.project_files import walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from realservices.cli.proposal.project_evidence import Evidence

_FILES = re.compile(r"settings.*|.*config.*|conftest|common|database|db|env")
_FOLDERS = re.compile(r"settings|config")
_READS = re.compile(r"environ|getenv|BaseSettings|DATABASES|load_dotenv|read_env")
# Enough for a project; in a large one settings come early, as files that are named after them are looked at first.
_MOST_FILES = 2000
_NAMED = r"""\s*(["'])([A-Z][A-Z0-9_]*)\1(?:\s*,\s*(?:default=)?(["'])([^"'\n]*)\3)?"""
# `os.getenv("A", "b")`, `os.environ["A"]`, `environ.get("A")`.
_READ = re.compile(rf"(?:\bgetenv\(|\benviron(?:\.get\(|\[)){_NAMED}")
# And what projects call theirs in settings: `envint("A")`, `env.str("A")`, `config("A")`.
_READ_BY_SETTINGS = re.compile(rf"(?:\bgetenv\(|\benviron(?:\.get\(|\[)|\benv\w*(?:\.\w+)?\(|\bconfig\(){_NAMED}")


def reading_files(found: Evidence) -> Iterator[tuple[Path, str]]:
    """Yield the files that read the environment, and what they hold: first those that look like settings."""
    paths = [here / name for here, files in walk(found.root) for name in files if name.endswith(".py")]
    paths = [path for path in paths if not _is_a_test(path)]
    for path in sorted(paths, key=lambda path: not _is_settings(path))[:_MOST_FILES]:
        text = found.text(path)
        if _is_settings(path) or _READS.search(text):
            yield path, text


def names_read(text: str, path: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield each variable's name, its default, "" if that is no text or not there, and whether it must be set."""
    for match in (_READ_BY_SETTINGS if _is_settings(path) else _READ).finditer(text):
        yield match[2], match[4] or "", match[0].startswith("environ[")


def _is_settings(path: Path) -> bool:
    return bool(_FILES.fullmatch(path.stem) or _FOLDERS.fullmatch(path.parent.name))


def _is_a_test(path: Path) -> bool:
    return path.stem.startswith("test_") or path.stem.endswith("_test")
