"""The pages of docs/reference that are made of what the code says: `python -m docs_build.pages [--check] [DIRECTORY]`.

The directory has what Bazel extracts of the .bzl files. Without it only the pages of the Python side are made.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from docs_build.configuration_page import configuration_page
from docs_build.fixtures_page import fixtures_page
from docs_build.options_page import options_page
from docs_build.python_page import python_page
from docs_build.rules_pages import EXTRACTS, starlark_pages

_REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"


def main() -> int:
    """Write the pages, or print the names of those that are not what they would be now."""
    parser = argparse.ArgumentParser(prog="docs_build.pages", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is stale")
    parser.add_argument("directory", nargs="?", type=Path, help="with NAME.textproto for each .bzl file")
    options = parser.parse_args()
    pages = {}
    if options.directory:
        texts = {name: (options.directory / f"{name}.textproto").read_text(encoding="utf-8") for name in EXTRACTS}
        pages = starlark_pages(texts)
    pages |= _python_pages(pages.get("rules") or _path("rules").read_text(encoding="utf-8"))
    stale = {name: text for name, text in pages.items() if not _is_there(name, text)}
    for name, text in stale.items():
        if options.check:
            print(f"docs/reference/{name}.md is stale: run `tools/docs reference`")
        else:
            _path(name).write_text(text, encoding="utf-8")
    return 1 if options.check and stale else 0


def _python_pages(rules: str) -> dict[str, str]:
    return {
        "configuration": configuration_page(rules),
        "fixtures": fixtures_page(),
        "options": options_page(),
        "python": python_page(),
    }


def _path(name: str) -> Path:
    return _REFERENCE / f"{name}.md"


def _is_there(name: str, text: str) -> bool:
    return _path(name).is_file() and _path(name).read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
