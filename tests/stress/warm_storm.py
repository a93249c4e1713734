"""Sessions that keep services warm for each other, some killed, and what waits is killed: `python warm_storm.py`.

Each session looks for what another one may have left, and leaves the same itself: tables, roles, databases, settings,
keys. Prints one line and exits with 1 on anything that is seen or left.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent.parent.parent))

from realservices.system.warm_pool import look_at, waiting_sessions
from tests.host import places
from tests.stress import enclosed

_AT_ONCE = 3
_IDLE_S = 3
_DEADLINE_S = 60
_VISIT = Path(__file__).absolute().with_name("warm_visit.py")


def main(arguments: Sequence[str]) -> int:
    """Run the storm and return the exit code."""
    options = _parse(arguments)
    enclosed.enclose("--uid", "0")
    chance = random.Random(options.seed)
    project = enclosed.WORK / "project"
    project.mkdir()
    (project / "realservices.toml").write_text(f"warm = true\nwarm_idle_s = {_IDLE_S}\n", encoding="utf-8")
    begin = time.monotonic()
    found: list[str] = []
    warm = broken = 0
    for _ in range(options.rounds):
        visits = [_visit(project, chance, is_killed=chance.random() < 0.3) for _ in range(_AT_ONCE)]
        for visit, is_killed in visits:
            output, _ = visit.communicate(timeout=_DEADLINE_S)
            warm += "warm" in output
            if visit.returncode != (-signal.SIGKILL if is_killed else 0):
                found.append(f"a session ended with {visit.returncode}: {output}")
        broken += chance.random() < 0.5 and _break_what_waits(chance)
    # What the end of the process that waits has left goes with the next session.
    last, _ = _visit(project, chance, is_killed=False)
    output, _ = last.communicate(timeout=_DEADLINE_S)
    if last.returncode:
        found.append(f"the last session ended with {last.returncode}: {output}")
    found += enclosed.await_all_ends(_DEADLINE_S) or enclosed.leaks()
    found += [f"entry {name}" for name in waiting_sessions()]
    count = options.rounds * _AT_ONCE
    # At most one of those who come at once; after the end of the process that has them, none.
    if warm < max(1, count // 12):
        found.append(f"only {warm} of {count} sessions found warm services: this storm proves nothing")
    print(
        f"warm_storm: {count} sessions, {warm} of them with warm services, {broken} times what waited was broken, seed "
        f"{options.seed}: {len(found)} leaks; {time.monotonic() - begin:.1f} s"
    )
    for leak in found:
        print(f"  {leak}")
    return 1 if found else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="warm_storm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(2), "big"))
    return parser.parse_args(arguments)


def _visit(project: Path, chance: random.Random, *, is_killed: bool) -> tuple[subprocess.Popen[str], bool]:
    """Start a session, and say whether it will kill itself."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "REALSERVICES_POSTGRES": str(places.postgres_distribution()),
        "REALSERVICES_REDIS": str(places.redis_server()),
        "XDG_CACHE_HOME": str(enclosed.WORK / "cache"),
        **{name: os.environ[name] for name in ("POSTGRES_DISTRIBUTION", "RUNFILES_DIR") if name in os.environ},
    }
    command = [sys.executable, "-B", str(_VISIT), "killed" if is_killed else "", str(chance.uniform(0, 0.05))]
    visit = subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return visit, is_killed


def _break_what_waits(chance: random.Random) -> bool:
    """Kill or stop a service that waits, or kill the process that has it; say whether there was one.

    All sessions have ended, so nobody can have taken it.
    """
    for name in waiting_sessions():
        description = json.loads(look_at(name) or b"{}")
        pids = [each["pid"] for each in description.get("services", {}).values() if each["pid"]]
        if pids:
            victim = chance.choice([*pids, description["pid"]])
            is_stopped = victim in pids and chance.random() < 0.5
            os.kill(victim, signal.SIGSTOP if is_stopped else signal.SIGKILL)
            return True
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
