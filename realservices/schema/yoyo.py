"""What yoyo's migrations say of each other: `-- depends: NAME NAME`, which orders them before their names do."""

from __future__ import annotations

import re

from realservices.contract.errors import TemplateError
from realservices.schema.script import APPLIED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from realservices.schema.script import Script

_DEPENDS = re.compile(rb"^\s*--\s*depends\s*:(.*)$", re.MULTILINE)
_HEAD_BYTES = 1 << 12


def needs(file: Script) -> list[str]:
    """Return the names of what a migration depends on; that is said in comments at its beginning.

    Raises:
        TemplateError: It cannot be read.
    """
    try:
        with open(file.path, "rb") as content:
            head = content.read(_HEAD_BYTES)
    except OSError as error:
        raise TemplateError(f"{file.shown} cannot be read: {error.strerror}") from None
    return [name for line in _DEPENDS.findall(head) for name in line.decode("utf-8", "replace").split()]


def refuse_dependencies(files: Sequence[Script], remedy: Callable[[str], str]) -> None:
    """Refuse a file that would be applied before one that it depends on.

    Args:
        files: In the order in which they would be applied.
        remedy: Returns what to do about a tool's files.

    Raises:
        TemplateError: There is one.
    """
    waiting = {file.name.removesuffix(".sql"): file for file in files}
    for file in files:
        waiting.pop(file.name.removesuffix(".sql"), None)
        later = next((name for name in needs(file) if name in waiting), "") if file.kind != APPLIED else ""
        if later:
            raise TemplateError(
                f"{file.shown} depends on {waiting[later].shown}, as yoyo says it, and would be applied before it: "
                f"{remedy('yoyo')}"
            )
