"""Names of environment variables that settings in other languages read, and what they are without one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.cli.proposal.project_files import walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from realservices.cli.proposal.project_evidence import Evidence

# Only files that look like settings: a project in these languages may have thousands of others.
_FILES = re.compile(
    r"(?:.*[.-])?(?:config|settings|env|environment|database|db|knexfile|data-?source|schema|runtime|main|application)"
    r"(?:[.-].*)?\.(?:[cm]?[jt]s|prisma|go|rs|rb|exs|php|ya?ml|properties)",
    re.IGNORECASE,
)
_NAME = r"([A-Z][A-Z0-9_]*)"
_READS = {
    "js": rf"""\bprocess\.env(?:\.{_NAME}|\[["']{_NAME}["']\])""",
    "prisma": rf"""\benv\("{_NAME}"\)""",
    "go": rf"""\bos\.(?:Getenv|LookupEnv)\("{_NAME}"\)""",
    "rs": rf"""\benv::var(?:_os)?\("{_NAME}"\)|\benv!\("{_NAME}"\)""",
    "rb": rf"""\bENV(?:\[|\.fetch\()\s*["']{_NAME}["']""",
    "exs": rf"""\bSystem\.(?:get_env|fetch_env!?)\("{_NAME}\"""",
    "php": rf"""\b(?:get)?env\(\s*["']{_NAME}["']""",
    "yml": rf"""\$\{{{_NAME}(?::(?P<default>[^}}\n]*))?\}}|\bENV(?:\[|\.fetch\()\s*["']{_NAME}["']""",
}
_SAME = {"ts": "js", "mjs": "js", "cjs": "js", "mts": "js", "cts": "js", "yaml": "yml", "properties": "yml"}
_MOST_FILES = 500


def names_read_by_others(found: Evidence) -> Iterator[tuple[str, str, str]]:
    """Yield each variable's name, its default, "" if none is seen, and the file that reads it."""
    paths = [here / name for here, files in walk(found.root) for name in files if _FILES.fullmatch(name)]
    for path in sorted(paths, key=lambda path: (len(path.parts), path))[:_MOST_FILES]:
        shown = path.relative_to(found.root).as_posix()
        if "compose" not in path.name:
            yield from ((name, default, shown) for name, default in _names(found.text(path), path))


def _names(text: str, path: Path) -> Iterator[tuple[str, str]]:
    ending = path.suffix[1:].lower()
    for match in re.finditer(_READS[_SAME.get(ending, ending)], text):
        default = match.groupdict().get("default") or ""
        yield next(name for name in match.groups() if name), default
