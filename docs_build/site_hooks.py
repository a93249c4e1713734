"""What the site needs beside the pages: navigation, and links out of docs.

The hooks are MkDocs' (https://www.mkdocs.org/dev-guide/plugins/#events).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_BULLET = re.compile(r"^- (.*(?:\n  .*)*)", re.M)
_LINK = re.compile(r"\[([^\]]+)\]\(([\w/]+\.md)\)")


def on_config(config: Any) -> Any:
    """Make the navigation of what docs/index.md lists."""
    index = (Path(config["docs_dir"]) / "index.md").read_text(encoding="utf-8")
    config["nav"] = navigation(index)
    return config


def navigation(index: str) -> list[dict[str, Any]]:
    """Return MkDocs' navigation for the sections of the index, and for their parts, where they have some."""
    sections = re.split(r"^## (.+)$", index, flags=re.M)[1:]
    return [{"Documentation": "index.md"}] + [
        {_plain(title): _entries(body)} for title, body in zip(sections[::2], sections[1::2], strict=True)
    ]


def _entries(body: str) -> list[dict[str, Any]]:
    parts = re.split(r"^(?!- | |\n)(.+)$", body, flags=re.M)
    entries: list[dict[str, Any]] = _pages(parts[0])
    entries += [{_plain(title): _pages(part)} for title, part in zip(parts[1::2], parts[2::2], strict=True)]
    return [entry for entry in entries if all(entry.values())]


def _pages(body: str) -> list[dict[str, str]]:
    links = [link for bullet in _BULLET.findall(body) for link in _LINK.findall(bullet)]
    return [{title[0].upper() + title[1:]: page} for title, page in links]


def _plain(title: str) -> str:
    return title.partition(":")[0].strip(" …")


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Show links to files of the repository that are no pages as their paths."""
    depth = page.file.src_uri.count("/") + 1
    leaves = re.compile(r"\[([^\]]+)\]\((?:\.\./){" + str(depth) + r"}(?!\.)([\w./-]+)(?:#[\w-]+)?\)")
    return leaves.sub(lambda link: link[1] if link[1] == link[2] else f"{link[1]} (`{link[2]}`)", markdown)
