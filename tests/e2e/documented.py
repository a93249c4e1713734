"""Projects that a page of the documentation shows: files whose first line is their name, and commands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_FILE = re.compile(r"\A(?:#|--) (\S*\.\w+)\n")


@dataclass
class Project:
    """What one section shows.

    Attributes:
        blocks: In order: the name of a file and its text, or "" and commands, a line each.
    """

    blocks: list[tuple[str, str]] = field(default_factory=list)

    @property
    def files(self) -> dict[str, str]:
        """The text of each file, by name; of one that is shown twice, the later."""
        return {name: text for name, text in self.blocks if name}

    def write(self, directory: Path) -> None:
        """Write all files into a directory."""
        for name, text in self.files.items():
            _write(directory / name, text)

    def follow(self, directory: Path) -> Iterator[str]:
        """Write each file into a directory when its turn has come, and yield each command when that has."""
        for name, text in self.blocks:
            if name:
                _write(directory / name, text)
            else:
                yield from text.splitlines()


def projects(page_name: str) -> dict[str, Project]:
    """Return the projects of a page, by the titles of their sections."""
    page = (ROOT / "docs" / page_name).read_text(encoding="utf-8")
    found = {}
    for section in page.split("\n## ")[1:]:
        project = found[section.partition("\n")[0]] = Project()
        for language, text in _BLOCK.findall(section):
            if language == "console":
                project.blocks.append(("", "\n".join(re.findall(r"^\$ ([^#\n]*)", text, re.M))))
            else:
                name = _FILE.match(text)
                assert name, f"a block without the name of its file: {text}"
                project.blocks.append((name.group(1), text))
    return found


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
