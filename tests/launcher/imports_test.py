"""What the launcher imports: every test pays for it before its first service starts."""

from __future__ import annotations

import subprocess
import sys

from tests.host import places

# 5 to 20 ms each, or drawn in by one that is.
_TOO_SLOW = {
    "argparse",
    "asyncio",
    "concurrent",
    "dataclasses",
    "hashlib",
    "importlib.metadata",
    "inspect",
    "logging",
    "pathlib",
    "random",
    "shutil",
    "ssl",
    "subprocess",
    "tarfile",
    "tempfile",
    "typing",
    "urllib",
    "uuid",
}
_PRINT = (
    "import sys; sys.path.insert(0, sys.argv[1]); import realservices.launcher.main; print('\\n'.join(sys.modules))"
)


def _loaded() -> set[str]:
    command = [sys.executable, "-I", "-S", "-B", "-c", _PRINT, str(places.PACKAGE_ROOT)]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_the_launcher_loads_no_slow_module() -> None:
    loaded = _loaded()
    assert "realservices.launcher.supervisor" in loaded
    assert loaded & _TOO_SLOW == set()


def test_the_launcher_loads_nothing_of_the_tests_side() -> None:
    parts = {name.split(".")[1] for name in _loaded() if name.startswith("realservices.")}
    assert parts == {"contract", "system", "control", "host", "kinds", "services", "launcher"}
    assert "realservices.contract.runtime" not in _loaded()
    assert "realservices.kinds.postgres.template.build" not in _loaded()
    others = ("realservices.launcher.group", "realservices.launcher.session")
    assert not {name for name in _loaded() if name.startswith(others)}


def test_the_launcher_loads_a_kind_only_for_a_service_of_it() -> None:
    loaded = {name for name in _loaded() if name.startswith(("realservices.services.", "realservices.kinds."))}
    assert loaded == {"realservices.services.service_classes", "realservices.kinds.registry"}
