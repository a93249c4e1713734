"""What `clean` finds while others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import realservices
from realservices.contract.user_variables import REGISTRY
from tests.host import places

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_lock_that_goes_while_others_are_looked_at_is_no_leftover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Under Bazel the tests' own archive of the package has no command line; another one has.
    monkeypatch.setattr(realservices, "__path__", [*realservices.__path__, f"{places.command_line()}/realservices"])
    from realservices.cli.leftovers import sweep  # noqa: PLC0415 - as above

    slots = tmp_path / "slots"
    slots.mkdir()
    paths = [slots / name for name in ("10000", "10016", "10032")]
    for path in paths:
        path.touch()
    monkeypatch.setenv(REGISTRY, str(tmp_path))
    seen = []
    for leftover in sweep(remove=False):
        if leftover.path.startswith(str(slots)):
            seen.append(leftover.path)
            paths[1].unlink(missing_ok=True)
    assert seen == [str(paths[0]), str(paths[2])]
