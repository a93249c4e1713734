"""Start many launchers at once and look for shared ports and leaks: `python launch_storm.py --launchers 64`.

All see one /dev/shm and have a private /tmp, as under Bazel; every second one has a network of its own. Prints one
line and exits with 1 on any port that two of them have, any failure, any leak.

With `--blocks N` all share one network and a range of so many blocks, so that most have to wait until others have ended.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent.parent))

from realservices.host.blocks import BLOCK_SIZE
from tests.launcher.launched import ANSWERS, QUERY_AT_ONCE, Launched, postgres, redis
from tests.launcher.template import make_template
from tests.services.queries import sql
from tests.stress import enclosed

_DEADLINE_S = 60
# The first port of a crowded range; the storm has a network of its own.
_CROWDED = 20000
_WAITS = "realservices: waiting up to 60 s for 2 ports in "
_PRIVATE_TMP = ["--uid", "1000", "--tmpfs", "/tmp"]


def main(arguments: Sequence[str]) -> int:
    """Run the storm and return the exit code."""
    options = _parse(arguments)
    enclosed.enclose()
    (enclosed.WORK / "template").mkdir()
    template = make_template(enclosed.WORK / "template")
    begin = time.monotonic()
    faults = (
        _crowd(options.launchers, template, options.blocks) if options.blocks else _storm(options.launchers, template)
    )
    faults += enclosed.await_all_ends(_DEADLINE_S) or enclosed.leaks()
    faults += enclosed.left_blocks()
    where = f"in a range of {options.blocks} blocks" if options.blocks else "half of them in networks of their own"
    print(
        f"launch_storm: {options.launchers} launchers at once, each with PostgreSQL and Redis, {where}: {len(faults)} "
        f"faults; {time.monotonic() - begin:.1f} s"
    )
    for fault in faults:
        print(f"  {fault}")
    return 1 if faults else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="launch_storm", description=__doc__)
    parser.add_argument("--launchers", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=0)
    return parser.parse_args(arguments)


def _storm(count: int, template: Path) -> list[str]:
    faults: list[str] = []
    with ExitStack() as stack:
        everyone = [stack.enter_context(_launched(number, template)) for number in range(count)]
        environments = [launched.program.environment for launched in everyone]
        # All of them run now, and hold their ports.
        sharing = [env for number, env in enumerate(environments) if not _is_alone(number)]
        uses = Counter(env[f"REALSERVICES_{name}_PORT"] for env in sharing for name in ("DB", "CACHE"))
        faults += [f"port {port} is had by {times} launchers" for port, times in uses.items() if times > 1]
        for env in sharing:
            if sql(env["DATABASE_URL"], "SELECT name FROM items") != "seeded":
                faults.append(f"the server on port {env['REALSERVICES_DB_PORT']} is not its launcher's")
        for launched in everyone:
            launched.program.exit(0)
        for number, launched in enumerate(everyone):
            code = launched.wait()
            if code or launched.output or launched.written("warnings"):
                faults.append(f"launcher {number} ended with {code}: {launched.output}{launched.written('warnings')}")
    return faults


def _crowd(count: int, template: Path, blocks: int) -> list[str]:
    """Run launchers with too few blocks for all of them; when the first ones end, all others wait already."""
    faults: list[str] = []
    env = {"REALSERVICES_PORT_RANGE": f"{_CROWDED}-{_CROWDED + blocks * BLOCK_SIZE - 1}"}
    with ExitStack() as stack:
        first = [stack.enter_context(_launched(2 * number, template, env=env)) for number in range(blocks)]
        ports = {int(launched.program.environment["REALSERVICES_DB_PORT"]) // BLOCK_SIZE for launched in first}
        assert len(ports) == blocks
        others = [
            stack.enter_context(_launched(2 * number, template, script=QUERY_AT_ONCE, env=env))
            for number in range(blocks, count)
        ]
        lines = [launched.await_line() for launched in others]
        faults += [f"a launcher does not wait, but says {line}" for line in lines if not line.startswith(_WAITS)]
        for launched in first:
            if launched.finish(0):
                faults.append(f"one of the first launchers failed: {launched.output}")
        for launched in others:
            code = launched.wait()
            if code or launched.output != ANSWERS or launched.written("warnings"):
                faults.append(f"a launcher ended with {code}: {launched.output}{launched.written('warnings')}")
    return faults


def _is_alone(number: int) -> bool:
    return number % 2 == 1


def _launched(number: int, template: Path, script: str = "", env: dict[str, str] | None = None) -> Launched:
    enclosure = [*_PRIVATE_TMP, *(["--net"] if _is_alone(number) else [])]
    return Launched(
        enclosed.WORK / str(number),
        [postgres(), redis()],
        template=template,
        script=script,
        env=env,
        enclosure=enclosure,
        base=str(enclosed.WORK),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
