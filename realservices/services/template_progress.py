"""What a template tool is about to do, for the process that waits for the template: a line on stdout for each step.

They are told from anything else that the tool prints by their beginning (sources/build_progress.py reads them).
"""

from __future__ import annotations

from realservices.contract.template_info import PROGRESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from realservices.schema.script import Script


class Progress:
    """The steps of one build.

    Args:
        is_wanted: Whether anybody reads them.
    """

    def __init__(self, *, is_wanted: bool) -> None:
        self._is_wanted = is_wanted

    def begin(self, step: str) -> None:
        """Tell the step that begins."""
        if self._is_wanted:
            print(PROGRESS + step.replace("\n", " "), flush=True)

    def files(self, scripts: Sequence[Script]) -> Callable[[Script], None]:
        """Return what tells which of some files begins."""
        numbers = {id(script): number for number, script in enumerate(scripts, 1)}

        def begin(script: Script) -> None:
            self.begin(f"file {numbers[id(script)]} of {len(scripts)}, {script.shown}")

        return begin
