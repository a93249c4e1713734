"""Other people on the machine: what they leave in shared places harms nobody, and is neither entered nor removed.

Two real users, in a /tmp and a shared memory that only this test sees. Only root can be two users.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).absolute().parents[2]
_ENCLOSURE = _ROOT / "tests" / "host" / "enclosure.py"
# One that every user may run, wherever this one lies.
_PYTHON = "/usr/bin/python3"
_PLACES = ("/tmp", "/dev/shm", "/var/tmp")
_BEGIN = """
import os, subprocess, sys
VICTIM, OTHER, HOME = 54322, 54321, "/tmp/home"

def as_user(uid, code, **env):
    \"\"\"Run Python as a user, with the package; return what it printed.\"\"\"
    begin = "import os, sys; sys.path.insert(0, '/mnt'); from pathlib import Path\\n"
    done = subprocess.run(
        [sys.executable, "-B", "-c", begin + code], user=uid, group=uid, extra_groups=[], cwd="/", text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"PATH": "/usr/bin:/bin", "HOME": HOME, **env},
    )
    print(done.stdout, end="")
    return done.returncode

os.mkdir(HOME, 0o700); os.mkdir(f"{HOME}/thesis")
for path in (f"{HOME}/thesis/chapter", f"{HOME}/key"):
    open(path, "w").close()
for path in (HOME, f"{HOME}/thesis", f"{HOME}/thesis/chapter", f"{HOME}/key"):
    os.chown(path, VICTIM, VICTIM)

def is_home_whole():
    return sorted(os.listdir(HOME)) == ["key", "thesis"] and os.listdir(f"{HOME}/thesis") == ["chapter"]
"""
_LAUNCH = """
from realservices.host.launcher_directories import LauncherDirectories
directories = LauncherDirectories(); directories.create(); directories.create_memory()
print(*sorted(os.path.dirname(path) for path in (directories.private, directories.memory)))
directories.remove()
"""


def _skip_reason() -> str:
    if os.geteuid() != 0:
        return "only root can be two users"
    try:
        done = subprocess.run(
            [_PYTHON, "-c", "import sys; print(sys.version_info >= (3, 11))"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return f"there is no {_PYTHON}"
    return "" if done.stdout == "True\n" else f"{_PYTHON} is older than 3.11"


pytestmark = pytest.mark.skipif(bool(_skip_reason()), reason=_skip_reason() or "none")


def _on_a_machine(code: str) -> list[str]:
    enclosure = ["--all-ids", *(word for place in _PLACES for word in ("--tmpfs", place)), "--bind", f"{_ROOT}=/mnt"]
    command = [sys.executable, str(_ENCLOSURE), *enclosure, "--", _PYTHON, "-B", "-c", _BEGIN + code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout.splitlines()


def test_names_that_somebody_else_has_taken_are_in_nobodys_way() -> None:
    code = f"""
LAUNCH = {_LAUNCH!r}
as_user(OTHER, '''
os.umask(0)
for place in ("/tmp", "/dev/shm"):
    os.mkdir(f"{{place}}/realservices-54322", 0o777)
    os.mkdir(f"{{place}}/realservices-54322/run.0123456789ab", 0o777)
    os.symlink("/tmp/home", f"{{place}}/realservices-54322-1")
    open(f"{{place}}/realservices-54322-2", "w").close()
    os.mkdir(f"{{place}}/realservices-54322-3", 0o755)
    os.mkdir(f"{{place}}/realservices.x", 0o755)
''')
print(as_user(VICTIM, LAUNCH), is_home_whole())
print(sorted(os.listdir("/tmp/realservices-54322")), os.path.isdir("/dev/shm/realservices.x"))
"""
    assert _on_a_machine(code) == [
        "/dev/shm/realservices-54322-4 /tmp/realservices-54322-4",
        "0 True",
        "['run.0123456789ab'] True",
    ]


def test_clean_does_not_look_at_them() -> None:
    code = """
as_user(OTHER, '''
os.umask(0)
for place in ("/tmp", "/dev/shm", "/var/tmp"):
    for name in ("realservices-54322", "realservices.rs.poc", "rs-session.poc", "rs.0123456789ab"):
        os.makedirs(f"{place}/{name}/run.0123456789ab/d", 0o777)
        os.symlink("/tmp/home", f"{place}/{name}/run.0123456789ab/link")
        open(f"{place}/{name}/alive", "w").close()
''')
code = "from realservices.cli.main import main; sys.exit(main(['clean']))"
print(as_user(VICTIM, code, XDG_CACHE_HOME="/tmp/home/thesis"), is_home_whole())
kept = os.environ["ENCLOSURE_KEPT"].split(":")
found = [f"{place}/{name}" for place in ("/tmp", "/dev/shm") for name in os.listdir(place) if name not in kept]
found += [each for path in list(found) for _, names, files in os.walk(path) for each in (*names, *files)]
print(len(found))
"""
    lines = _on_a_machine(code)
    assert lines[:2] == ["nothing to remove", "0 True"]
    # For each of four names in two places: itself, a run, a directory, a link, a file; then home, and what is in it.
    assert int(lines[2]) == 2 * 4 * 5 + 4


@pytest.mark.parametrize("mode", ["0o777", "0o700"])
def test_a_registry_that_is_somebody_elses_is_refused(mode: str) -> None:
    code = f"""
as_user(OTHER, "os.umask(0); os.mkdir('/tmp/theirs', {mode})")
print(as_user(VICTIM, '''
from realservices.contract.errors import InfrastructureError
from realservices.system.registry_directory import present_registries, registry_directory
print(present_registries())
try:
    registry_directory()
except InfrastructureError as error:
    print(error)
''', REALSERVICES_REGISTRY="/tmp/theirs"))
"""
    assert _on_a_machine(code) == [
        "[]",
        "REALSERVICES_REGISTRY=/tmp/theirs is not safe: it belongs to user 54321, not to user 54322; "
        "name a directory that only user 54322 may write to",
        "0",
    ]


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("0o777", "mode 0777: every user may rename what is in it (chmod +t /tmp/open)"),
        ("0o755", "it belongs to user 54321, who may rename what is in it"),
    ],
)
def test_a_registry_below_somebody_elses_hands_is_refused(mode: str, reason: str) -> None:
    code = f"""
os.mkdir("/tmp/open"); os.mkdir("/tmp/open/mine", 0o700)
os.chown("/tmp/open/mine", VICTIM, VICTIM)
os.chmod("/tmp/open", {mode})
if {mode} == 0o755:
    os.chown("/tmp/open", OTHER, OTHER)
print(as_user(VICTIM, '''
from realservices.contract.errors import InfrastructureError
from realservices.system.registry_directory import registry_directory
try:
    registry_directory()
except InfrastructureError as error:
    print(error)
''', REALSERVICES_REGISTRY="/tmp/open/mine"))
"""
    assert _on_a_machine(code) == [
        f"REALSERVICES_REGISTRY=/tmp/open/mine is not safe: /tmp/open: {reason}; "
        "name a directory that only user 54322 may write to",
        "0",
    ]
