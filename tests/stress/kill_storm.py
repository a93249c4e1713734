"""Kill launchers at random moments of their lives and look for what they leave: `python kill_storm.py --kills 100`.

Prints one line and exits with 1 on any leak. Runs on overlays and, with --way copy, where user namespaces are refused.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent.parent))

from tests.launcher.launched import Launched, postgres, redis
from tests.launcher.template import make_template
from tests.stress import enclosed

_WAYS = {"overlay": ["--uid", "0"], "copy": ["--uid", "1000", "--no-user-namespaces"]}
_DEADLINE_S = 30
# Leaves a daemon, and keeps PostgreSQL writing.
_BUSY = """#!/bin/sh
setsid sleep 1000 &
exec "$RUNFILES_DIR/postgres/pginstall/bin/psql" -Xq "$DATABASE_URL" -c \\
  "INSERT INTO items (name) SELECT n FROM generate_series(1, 1000000000) n"
"""


def main(arguments: Sequence[str]) -> int:
    """Run the storm and return the exit code."""
    options = _parse(arguments)
    enclosed.enclose(*_WAYS[options.way])
    moments = random.Random(options.seed)
    work = enclosed.WORK
    (work / "template").mkdir()
    template = make_template(work / "template")
    begin = time.monotonic()
    life_s = _whole_life(work / "first", template)
    found: list[str] = []
    for number in range(options.kills):
        moment_s = moments.uniform(0, 1.5 * life_s)
        _kill(work / str(number), template, moment_s)
        left = enclosed.await_all_ends(_DEADLINE_S) or enclosed.leaks()
        left += [str(path) for path in (work / str(number) / "tmp").iterdir()]
        found += [f"after {moment_s * 1000:.0f} ms: {leak}" for leak in left]
        if left:
            break
    _whole_life(work / "last", template)
    found += enclosed.await_all_ends(_DEADLINE_S) or enclosed.leaks() + enclosed.unfinished_templates()
    print(
        f"kill_storm: {number + 1} launchers killed within {1500 * life_s:.0f} ms of their start, way {options.way}, seed "
        f"{options.seed}: {len(found)} leaks; {time.monotonic() - begin:.1f} s"
    )
    for leak in found:
        print(f"  {leak}")
    return 1 if found else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kill_storm", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--way", choices=_WAYS, default="overlay")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(2), "big"))
    return parser.parse_args(arguments)


def _launched(directory: Path, template: Path, script: str) -> Launched:
    return Launched(directory, [postgres(), redis()], template=template, script=script, base=str(enclosed.WORK))


def _whole_life(directory: Path, template: Path) -> float:
    begin = time.monotonic()
    with _launched(directory, template, "#!/bin/sh\nexit 0\n") as launched:
        if launched.wait() != 0:
            raise SystemExit(f"kill_storm: an undisturbed launcher failed:\n{launched.output}")
    return time.monotonic() - begin


def _kill(directory: Path, template: Path, moment_s: float) -> None:
    with _launched(directory, template, _BUSY) as launched:
        end = os.pidfd_open(launched.pid)
        try:
            ended, _, _ = select.select([end], [], [], moment_s)
        finally:
            os.close(end)
        if ended:
            launched.wait()
            raise SystemExit(f"kill_storm: a launcher ended before it was killed:\n{launched.output}")
        launched.signal(signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
