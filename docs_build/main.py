"""`tools/docs`: the generated pages of docs/reference, and the site.

tools/docs reference   writes docs/reference from what rules, package and command line say now
tools/docs [DIRECTORY] builds the site into a directory, by default `site` in the project
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docs_build.environments import ROOT, locked_python
from docs_build.rules_pages import EXTRACTS

if TYPE_CHECKING:
    from collections.abc import Sequence

_BAZELW = str(ROOT / "tools" / "bazelw")


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says and return its exit code."""
    parser = argparse.ArgumentParser(prog="tools/docs", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", nargs="?", default="site", metavar="reference | DIRECTORY", help="(default: site)")
    what = parser.parse_args(arguments).what
    try:
        if what == "reference":
            write_reference()
        else:
            build_site(Path(what).resolve())
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    return 0


def write_reference() -> None:
    """Write the generated pages."""
    targets = [f"//docs_build:{name}.textproto" for name in EXTRACTS]
    subprocess.run([_BAZELW, "build", *targets], cwd=ROOT, check=True)
    asked = subprocess.run([_BAZELW, "info", "bazel-bin"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    extracted = Path(asked.stdout.strip()) / "docs_build"
    subprocess.run([locked_python("dev"), "-m", "docs_build.pages", str(extracted)], cwd=ROOT, check=True)


def build_site(directory: Path) -> None:
    """Build the site, strictly: a link that leads nowhere is an error."""
    command = [locked_python("docs"), "-m", "mkdocs", "build", "--strict", "--quiet", "-f", "docs_build/mkdocs.yml"]
    # Without what the theme says of MkDocs' future on every run.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    subprocess.run([*command, "-d", str(directory)], cwd=ROOT, check=True, env=environment)
    print(f"open {directory / 'index.html'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
