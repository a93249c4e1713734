"""`bazel run` of a `service_group`: runs its services until Ctrl-C."""

from __future__ import annotations

import sys

from realservices.launcher.action import Action
from realservices.launcher.group.place import Place
from realservices.launcher.group.programs import Hold
from realservices.launcher.group.screen import Screen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.manifest import Manifest

_EXIT_USAGE = 64  # EX_USAGE of sysexits.h: nothing that a command usually returns.
_USAGE = """\
usage: bazel run {label} [-- OPTIONS]

  (nothing)       run the services until Ctrl-C
  --logs          the same, and show what they write
"""


def run_group(manifest: Manifest, runfiles: str, arguments: list[str]) -> int:
    """Do what the arguments say with the services of a group; return the exit code.

    Raises:
        RealServicesError: It cannot be done.
    """
    if arguments in ([], ["--logs"]):
        return _hold(manifest, runfiles, wants_logs=bool(arguments))
    print(_USAGE.format(label=manifest.label), end="", file=sys.stderr)
    return _EXIT_USAGE


def _hold(manifest: Manifest, runfiles: str, *, wants_logs: bool) -> int:
    place = Place(manifest.label, runfiles)
    screen = Screen([spec.name for spec in manifest.services], wants_logs=wants_logs, announces=True)
    place.take()
    try:
        program = Hold(manifest, runfiles, place, screen)
        action = Action(manifest, runfiles, program, watcher=screen, fixed_ports=manifest.test.ports)
        code, reason = action.run()
    finally:
        place.leave()
    if screen.is_up:
        # Ended as it was meant to end; failures in between have been told when they happened.
        screen.say(f"\n{manifest.label} has ended, nothing of it is left")
        return 0
    print(f"\nrealservices: {manifest.label}: {reason}", file=sys.stderr, flush=True)
    return code
