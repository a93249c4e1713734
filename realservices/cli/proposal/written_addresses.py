"""Addresses of servers on this machine that tests have in them, and do not read from the environment."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from realservices.cli.proposal.project_files import python_tree, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realservices.cli.proposal.project_evidence import Evidence

_ADDRESS = re.compile(
    r"(?P<scheme>[a-z]\w*)(?:\+\w+)?://(?:[^/?#@\s]*@)?(?P<host>(?:localhost|127\.0\.0\.1)(?::\d+)?)(?=[/?]|$)"
)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")
_FOLDERS = {"test", "tests"}
_FILES = re.compile(r"conftest|test_.*|.*_test")


def written_address(found: Evidence, schemes: Sequence[str]) -> tuple[str, str]:
    """Return the first address of some schemes and where it stands, as `file:line`; empty texts if there is none."""
    for here, files in walk(found.root):
        is_tests = not _FOLDERS.isdisjoint(here.relative_to(found.root).parts)
        for name in files:
            if name.endswith(".py") and (is_tests or _FILES.fullmatch(name.removesuffix(".py"))):
                path = here / name
                text = found.text(path)
                if "://" not in text:
                    continue
                for line, scheme, host in _addresses(python_tree(text)):
                    if scheme in schemes:
                        return f"{scheme}://{host}", f"{path.relative_to(found.root).as_posix()}:{line}"
    return "", ""


def _addresses(node: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield line, scheme and host of each, but for what a variable is set to, or is where it is not set."""
    if isinstance(node, ast.Call) and node.args and _is_variable(node.args[0]):
        return
    if isinstance(node, ast.Dict) and any(map(_is_variable, node.keys)):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and (match := _ADDRESS.match(node.value)):
        yield node.lineno, match["scheme"], match["host"]
    for child in ast.iter_child_nodes(node):
        yield from _addresses(child)


def _is_variable(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(_VARIABLE.fullmatch(node.value))
