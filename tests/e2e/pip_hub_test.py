"""docs/pip_hub.md: a hub of rules_python's, made of a lock with hashes, whose packages the fixtures use, too."""

from __future__ import annotations

import os
import re

import pytest

from tests.e2e.documented import projects
from tests.scratch import ROOT, Workspace

_LOCKED = ROOT / "third_party" / "pip_hub"
_OUR_LOCK = ROOT / "third_party" / "python" / "requirements.lock"
_OURS = f'local_path_override(module_name = "rules_realservices", path = "{ROOT}")\n'
# Beside what the page shows: where the modules come from that the fixtures and the code under test have imported.
_PLACES = """

def test_what_is_imported_is_the_hubs(isolated_database, isolated_redis):
    import importlib.metadata, sys
    from realservices.fixtures.compiled_imports import is_compiled
    for name, version in {versions}.items():
        module = sys.modules[name]
        assert importlib.metadata.version(name) == version
        assert "/rules_python" in module.__file__ and f"pip_{{name}}/site-packages/" in module.__file__.replace("+", "_")
        assert is_compiled(module.__file__)
"""
# rules_python as Debian packages it is older than the page's, and its pip than a Python without pkgutil.ImpImporter.
_OLD_ARGUMENTS = (
    'name = "pip",\n    incompatible_generate_aliases = True,\n    python_interpreter_target = "//old:python3",\n'
)
_OLD_PYTHON = '#!/bin/sh\nPYTHONPATH="$(dirname "$(readlink -f "$0")"):$PYTHONPATH" exec python3 "$@"\n'
_OLD_NAMES = 'import pkgutil\npkgutil.ImpImporter = type("ImpImporter", (), {})\n'


@pytest.fixture
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """What the page shows, with the lock that its requirements give."""
    found = Workspace(tmp_path_factory.mktemp("shop"))
    (shown,) = (project for title, project in projects("pip_hub.md").items() if title == "One set of clients")
    shown.write(found.directory)
    found.write("requirements.lock", (_LOCKED / "requirements.lock").read_text(encoding="utf-8"))
    module = shown.files["MODULE.bazel"]
    if "BAZEL" not in os.environ:
        module, count = re.subn(r'hub_name = "pip",\n\s*python_version = "[\d.]+",\n', _OLD_ARGUMENTS, module)
        assert count == 1
        found.write("old/python3", _OLD_PYTHON).chmod(0o755)
        found.write("old/sitecustomize.py", _OLD_NAMES)
        found.write("old/BUILD.bazel", 'exports_files(["python3"])\n')
    found.write("MODULE.bazel", module + _OURS)
    return found


def _versions(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+)==([\w.]+)", text, re.M))


def test_the_fixtures_use_the_packages_of_the_hub(workspace: Workspace) -> None:
    wanted = _versions((workspace.directory / "requirements.in").read_text(encoding="utf-8"))
    ours = _versions(_OUR_LOCK.read_text(encoding="utf-8"))
    assert not wanted.items() & ours.items(), "a version that is ours, too, would prove nothing"
    test = workspace.directory / "orders_test.py"
    names = {name.replace("-", "_"): version for name, version in wanted.items()}
    test.write_text(test.read_text(encoding="utf-8") + _PLACES.format(versions=names), encoding="utf-8")
    try:
        for arguments in ([], ["--test_arg=-n2"]):
            done = workspace.bazel("test", "//...", "--test_output=all", *arguments, timeout_s=900)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "2 passed" in done.stdout
    finally:
        workspace.end()


def test_the_page_shows_what_is_locked() -> None:
    (shown,) = (project for title, project in projects("pip_hub.md").items() if title == "One set of clients")
    wanted = _versions(shown.files["requirements.in"])
    assert wanted == _versions((_LOCKED / "requirements.in").read_text(encoding="utf-8"))
    locked = _versions((_LOCKED / "requirements.lock").read_text(encoding="utf-8"))
    assert wanted.items() <= locked.items()
    lines = shown.files[".bazelrc"].splitlines()[1:]
    flag = "build --@rules_realservices//third_party/python"
    assert lines == [f"{flag}:{name}=@pip//{name}" for name in (each.replace("-", "_") for each in wanted)]
