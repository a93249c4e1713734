"""What `tools/bazelw` chooses, sets up, says and runs.

Most tests give it a machine of its own: a PATH with the ordinary tools and with stand-ins for those that would change
the machine or take minutes, so that its decisions and the state it keeps are seen alone. The last ones run Bazel for
real, in the root filesystem that REALSERVICES_CACHE_DIR (or the default cache) already holds.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import textwrap
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

BAZELW = Path(__file__).resolve().parents[2] / "tools" / "bazelw"
DEADLINE_S = 300

ORDINARY_TOOLS = """awk bash cat chmod cut df env find flock grep mkdir mktemp mv readlink rm sh sha256sum stat sync
    tail timeout touch uname""".split()  # noqa: SIM905 # a list of 21 quoted words reads worse

# Makes the least that counts as a root filesystem. $GATE is a named pipe that holds it until a test writes to it.
MMDEBSTRAP = """
echo "$*" >>"$RECORD/mmdebstrap"
echo "I: a line of mmdebstrap"
if [ -n "${GATE:-}" ]; then read -r _ <"$GATE"; fi
if [ -n "${MMDEBSTRAP_FAILS:-}" ]; then echo "E: no such suite" >&2; exit 1; fi
for target; do case $target in */rootfs-partial.*) break ;; esac; done
mkdir -p "$target/usr/bin" "$target/usr/share/bazel" "$target/etc/bazel"
touch "$target/usr/share/bazel/A-server.jar" "$target/usr/bin/bazel"
chmod +x "$target/usr/bin/bazel"
"""

# Answers for the Bazel inside; a call that would build something is written down, with its environment.
BWRAP = """
if [ -n "${BWRAP_FAILS:-}" ]; then echo "bwrap: No permissions to create new namespace" >&2; exit 1; fi
case "$*" in
  *" true") ;;
  *"-- bazel --version") echo "bazel 7.7.1" ;;
  *"mod graph") echo asked >>"%(record)s/registry"; exit "$(cat "%(record)s/registry_exit")" ;;
  *) printf '%%s\\n' "$@" >"%(record)s/arguments"; env >"%(record)s/environment"; echo "output of Bazel"; exit 3 ;;
esac
"""


class Outcome(NamedTuple):
    """What a call said and how it ended."""

    code: int
    stdout: str
    stderr: str


class Machine:
    """A PATH, a cache and an environment, and the calls of bazelw made with them."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "bin"
        self.record = directory / "record"
        self.cache = directory / "the cache"
        self.home = directory / "home"
        self.workspace = directory / "workspace"
        for made in (self.bin, self.record, self.home, self.workspace):
            made.mkdir()
        (self.workspace / "MODULE.bazel").write_text("")
        (self.record / "registry_exit").write_text("1")
        for tool in ORDINARY_TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (self.bin / tool).symlink_to(found)
        self.environment = {
            "PATH": str(self.bin),
            "HOME": str(self.home),
            "RECORD": str(self.record),
            "REALSERVICES_CACHE_DIR": str(self.cache),
        }
        self.started: list[subprocess.Popen[str]] = []
        self.user(0)

    def tool(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return path

    def can_set_up(self) -> Machine:
        self.tool("mmdebstrap", MMDEBSTRAP)
        self.tool("unshare", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
        self.tool("bwrap", BWRAP % {"record": self.record})
        return self

    def user(self, uid: int, name: str = "somebody") -> None:
        self.tool("id", f'case $1 in -u) echo {uid} ;; -g) echo {uid} ;; -un) echo "{name}" ;; esac')

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = start([BAZELW, *arguments], self.workspace, self.environment | environment)
        self.started.append(process)
        return process

    def run(self, *arguments: str, **environment: str) -> Outcome:
        return end_of(self.start(*arguments, **environment))

    def recorded(self, name: str) -> list[str]:
        path = self.record / name
        return path.read_text().splitlines() if path.exists() else []

    def rootfs(self) -> Path:
        (found,) = self.cache.glob("rootfs-*")
        return found

    def rc_of_modules(self) -> str:
        """The content of the last --bazelrc that Bazel was given, or nothing."""
        names = [
            line.removeprefix("--bazelrc=") for line in self.recorded("arguments") if line.startswith("--bazelrc=")
        ]
        return Path(names[-1]).read_text() if names else ""


def start(command: list[str | Path], directory: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end_of(process: subprocess.Popen[str]) -> Outcome:
    stdout, stderr = process.communicate(timeout=DEADLINE_S)
    return Outcome(process.returncode, stdout, stderr)


@contextmanager
def held_at(gate: Path) -> Iterator[None]:
    """Keep who reads a named pipe waiting, from the moment on when he has opened it."""
    writer = -1
    deadline = time.monotonic() + DEADLINE_S
    while writer < 0 and time.monotonic() < deadline:
        with suppress(OSError):  # Nobody reads it yet.
            writer = os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.01)
    assert writer >= 0, f"nobody reads {gate}"
    yield
    os.close(writer)


def first_message(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


# The machine's own Bazel.


def own_bazel(machine: Machine, version: str, name: str = "bazel") -> Path:
    return machine.tool(
        name, f'if [ "$1" = --version ]; then echo "bazel {version}"; else printf "%s\\n" {name} "$@"; exit 3; fi'
    )


@pytest.mark.parametrize("version", ["7.0.0", "8.4.2", "9.0.0rc1", "10.1.0-pre.20260101.1"])
def test_own_bazel_gets_the_arguments_and_gives_output_and_exit_code(machine: Machine, version: str) -> None:
    own_bazel(machine, version)

    outcome = machine.run("test", "//a b/...", REALSERVICES_BCR="yes")

    assert outcome == (3, "bazel\ntest\n//a b/...\n", "")
    assert not list(machine.cache.glob("rootfs-*"))


def test_bazelisk_is_used_where_bazel_is_too_old(machine: Machine) -> None:
    own_bazel(machine, "6.5.0")
    own_bazel(machine, "8.1.0", "bazelisk")

    outcome = machine.run("build")

    assert outcome[:2] == (3, "bazelisk\nbuild\n")
    assert "not used: " + str(machine.bin / "bazel") + " is bazel 6.5.0; 7 is the oldest" in outcome.stderr


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo bazel 6.5.0", "is bazel 6.5.0; 7 is the oldest that works"),
        ("echo bazel no_version", "--version says 'bazel no_version', which names no version"),
        ("true", "--version says '', which names no version"),
        ("echo could not download >&2; exit 4", "--version ended with exit code 4"),
    ],
)
def test_own_bazel_that_does_not_serve_is_named_with_the_reason(machine: Machine, script: str, reason: str) -> None:
    path = machine.tool("bazel", script)

    outcome = machine.run("test", REALSERVICES_BAZELW="own")

    assert outcome.code == 1
    assert f"not used: {path} {reason}" in outcome.stderr
    assert "Install Bazel 7 or newer, or bazelisk, on PATH." in outcome.stderr


def test_bazel_that_is_a_link_to_bazelw_is_passed_over_in_silence(machine: Machine) -> None:
    (machine.bin / "bazel").symlink_to(BAZELW)
    own_bazel(machine, "7.1.0", "bazelisk")

    assert machine.run("test", REALSERVICES_BCR="yes") == (3, "bazelisk\ntest\n", "")


def test_bazel_that_calls_bazelw_is_not_called_for_ever(machine: Machine) -> None:
    machine.tool("bazel", f'exec "{BAZELW}" "$@"')

    outcome = machine.run("test", REALSERVICES_BAZELW="own")

    assert outcome.code == 1
    assert "that one is skipped" in outcome.stderr


def test_as_the_wrapper_of_bazelisk_it_runs_the_bazel_that_it_is_given(machine: Machine) -> None:
    (machine.bin / "bazelisk").symlink_to(BAZELW)
    real = own_bazel(machine, "8.0.0", "downloaded-bazel")

    assert machine.run("info", BAZEL_REAL=str(real))[:2] == (3, "downloaded-bazel\ninfo\n")


def test_only_bazel_7_gets_debians_modules(machine: Machine) -> None:
    machine.can_set_up()
    own_bazel(machine, "7.4.1")
    output = machine.run("test", REALSERVICES_BCR="no").stdout.splitlines()
    rc = Path(output[1].removeprefix("--bazelrc=")).read_text()

    assert output[2:] == ["test"]
    assert f'common "--override_module=rules_cc={machine.rootfs()}/usr/share/bazel/rules/cc"' in rc

    own_bazel(machine, "8.0.0")
    assert machine.run("test", REALSERVICES_BCR="no").stdout.splitlines() == ["bazel", "test"]


def test_own_bazel_without_registry_runs_also_where_no_modules_can_be_had(machine: Machine) -> None:
    machine.user(1000)
    own_bazel(machine, "7.4.1")

    outcome = machine.run("test", REALSERVICES_BCR="no")

    assert outcome[:2] == (3, "bazel\ntest\n")
    assert "without modules from Debian" in outcome.stderr


# Setting up the root filesystem.


def test_first_call_sets_up_and_later_ones_do_not(machine: Machine) -> None:
    machine.can_set_up()

    first = machine.run("test", "//a b", REALSERVICES_BCR="no")
    second = machine.run("test", "//a b", REALSERVICES_BCR="no")

    assert first[:2] == second[:2] == (3, "output of Bazel\n")
    assert f"setting up Bazel 7.7.1 in {machine.rootfs()} (a minute or two, 1.5 GB, once)" in first.stderr
    assert second.stderr == ""
    assert len(machine.recorded("mmdebstrap")) == 1
    assert machine.recorded("arguments")[-2:] == ["test", "//a b"]
    assert f"{machine.rootfs()}/usr" in machine.recorded("arguments")


@pytest.mark.parametrize("lost", [".complete", "usr/bin/bazel", "usr/share/bazel/A-server.jar"])
def test_half_made_root_filesystem_is_made_anew(machine: Machine, lost: str) -> None:
    machine.can_set_up().run("test", REALSERVICES_BCR="no")
    (machine.rootfs() / lost).unlink()
    (machine.rootfs() / "old").touch()

    outcome = machine.run("test", REALSERVICES_BCR="no")

    assert outcome.code == 3
    assert f"removing the half-made root filesystem {machine.rootfs()}" in outcome.stderr
    assert (machine.rootfs() / lost).exists()
    assert not (machine.rootfs() / "old").exists()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_interrupted_set_up_is_begun_anew(machine: Machine, end: signal.Signals) -> None:
    gate = machine.record / "gate"
    os.mkfifo(gate)
    interrupted = machine.can_set_up().start("test", GATE=str(gate))
    assert "setting up Bazel" in first_message(interrupted)
    # Not before: bash sees a signal that comes while it starts a program only when that has ended.
    with held_at(gate):
        os.killpg(interrupted.pid, end)
        assert end_of(interrupted).code != 0
    left = [path.name.split(".")[0] for path in machine.cache.glob("rootfs-*")]
    assert left == (["rootfs-partial"] if end == signal.SIGKILL else [])

    assert machine.run("test", REALSERVICES_BCR="no").code == 3
    assert [path.name for path in machine.cache.glob("rootfs-*")] == [machine.rootfs().name]


def test_calls_at_the_same_time_set_up_once(machine: Machine) -> None:
    gate = machine.record / "gate"
    os.mkfifo(gate)
    first = machine.can_set_up().start("test", GATE=str(gate), REALSERVICES_BCR="no")
    assert "setting up Bazel" in first_message(first)
    second = machine.start("test", GATE=str(gate), REALSERVICES_BCR="no")
    assert "waiting for another bazelw to finish setting up" in first_message(second)

    gate.write_text("go\n")

    assert end_of(first).code == end_of(second).code == 3
    assert len(machine.recorded("mmdebstrap")) == 1


def test_failed_mmdebstrap_is_shown_and_leaves_nothing(machine: Machine) -> None:
    outcome = machine.can_set_up().run("test", MMDEBSTRAP_FAILS="1")

    assert outcome[:2] == (1, "")
    assert f"error: mmdebstrap failed; the last lines of {machine.cache}/setup.log:" in outcome.stderr
    assert "| I: a line of mmdebstrap" in outcome.stderr
    assert "| E: no such suite" in outcome.stderr
    assert not list(machine.cache.glob("rootfs-*"))


def test_missing_tools_are_named_with_the_command_that_installs_them(machine: Machine) -> None:
    machine.user(1000)
    machine.tool("apt-get", "exit 9")
    own_bazel(machine, "6.1.0")

    outcome = machine.run("test")

    assert outcome[:2] == (1, "")
    assert "missing mmdebstrap bubblewrap" in outcome.stderr
    assert "as root:  apt-get install mmdebstrap bubblewrap" in outcome.stderr
    assert "bazel 6.1.0" in outcome.stderr
    assert "Either install Bazel 7 or newer, or bazelisk, on PATH," in outcome.stderr


def test_missing_tools_without_apt(machine: Machine) -> None:
    outcome = machine.run("test")

    assert outcome[:2] == (1, "")
    assert "install these with this system's package manager (it has no apt-get): mmdebstrap" in outcome.stderr


def test_root_gets_the_missing_tools_installed(machine: Machine) -> None:
    machine.can_set_up()
    kept = machine.record / "kept"
    kept.mkdir()
    for tool in ("mmdebstrap", "bwrap"):
        (machine.bin / tool).rename(kept / tool)
    machine.tool(
        "apt-get",
        f"""
        echo "$*" >>"$RECORD/apt-get"
        if [ "$1" = update ]; then touch "$RECORD/updated"; exit; fi
        [ -e "$RECORD/updated" ] || exit 100
        mv "{kept}"/* "{machine.bin}"
        """,
    )

    outcome = machine.run("test", REALSERVICES_BCR="no")

    install = "install -y --no-install-recommends mmdebstrap bubblewrap"
    assert outcome.code == 3
    assert machine.recorded("apt-get") == [install, "update", install]
    assert "installing mmdebstrap bubblewrap with apt-get" in outcome.stderr


def test_too_little_disk_space(machine: Machine) -> None:
    machine.can_set_up()
    machine.tool("df", 'echo header; echo "dev 1 1 102400 1 /"')

    outcome = machine.run("test")

    assert outcome[:2] == (1, "")
    assert f"{machine.cache} has 100 MB free, 2048 MB are needed" in outcome.stderr
    assert machine.recorded("mmdebstrap") == []


def test_forbidden_namespaces(machine: Machine) -> None:
    outcome = machine.can_set_up().run("test", BWRAP_FAILS="1")

    assert outcome[:2] == (1, "")
    assert "cannot make a namespace here: bwrap: No permissions to create new namespace" in outcome.stderr
    assert "--privileged" in outcome.stderr


def test_user_without_subordinate_ids(machine: Machine) -> None:
    machine.can_set_up().user(4242, "no-such-user")
    machine.tool("newuidmap", "")

    outcome = machine.run("test")

    assert outcome[:2] == (1, "")
    assert "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 no-such-user" in outcome.stderr


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"REALSERVICES_CACHE_DIR": "/proc/none"}, "cannot write to the cache directory /proc/none (as user somebody)"),
        ({"REALSERVICES_CACHE_DIR": "", "HOME": ""}, "none of REALSERVICES_CACHE_DIR, XDG_CACHE_HOME and HOME is set"),
        ({"REALSERVICES_BAZELW": "docker"}, "REALSERVICES_BAZELW is 'docker'"),
        ({"REALSERVICES_BCR": "maybe"}, "REALSERVICES_BCR is 'maybe'; allowed are yes and no"),
    ],
)
def test_wrong_settings_are_named(machine: Machine, environment: dict[str, str], message: str) -> None:
    outcome = machine.can_set_up().run("test", **environment)

    assert outcome[:2] == (1, "")
    assert message in outcome.stderr


# Modules and the environment inside.


def test_modules_are_debians_where_the_registry_is_out_of_reach_and_it_is_asked_once_a_day(machine: Machine) -> None:
    outcome = machine.can_set_up().run("test")
    machine.run("test")

    assert "the Bazel Central Registry is out of reach" in outcome.stderr
    assert machine.recorded("registry") == ["asked"]
    rc = machine.rc_of_modules()
    assert 'common "--override_module=rules_python=/usr/share/bazel/rules/python"\n' in rc
    assert 'common "--override_repository=rules_python=/usr/share/bazel/rules/python"\n' in rc
    assert "common --lockfile_mode=off\n" in rc

    (machine.record / "registry_exit").write_text("0")
    two_days_ago = time.time() - 2 * 24 * 3600
    for answer in machine.cache.glob("*/registry-*"):
        os.utime(answer, (two_days_ago, two_days_ago))
    machine.run("test")
    assert machine.recorded("registry") == ["asked", "asked"]
    assert machine.rc_of_modules() == ""


def test_every_module_with_an_override_is_in_every_graph(machine: Machine) -> None:
    machine.can_set_up().run("test", REALSERVICES_BCR="no")
    overrides = {}
    for line in machine.rc_of_modules().splitlines():
        if "--override_module=" in line:
            name, _, path = line.removeprefix('common "--override_module=').removesuffix('"').partition("=")
            overrides[name] = path

    always = (Path(overrides["protobuf"]) / "MODULE.bazel").read_text()

    assert all(f'bazel_dep(name = "{name}"' in always for name in overrides if name != "protobuf")


@pytest.mark.parametrize("place", ["argument", "workspace", "home"])
def test_a_registry_of_the_users_own_is_left_alone(machine: Machine, place: str) -> None:
    arguments = ["test"]
    if place == "argument":
        arguments.append("--registry=file:///mine")
    else:
        directory = machine.workspace if place == "workspace" else machine.home
        (directory / ".bazelrc").write_text("common --registry=file:///mine\n")

    machine.can_set_up().run(*arguments)

    assert machine.recorded("registry") == []
    assert "override" not in machine.rc_of_modules()


def test_environment_inside_is_bazels_and_pips_and_what_was_asked_for(machine: Machine) -> None:
    (machine.home / ".netrc").touch()
    (machine.home / ".npmrc").touch()
    machine.can_set_up().run(
        "test",
        "--test_env=WANTED",
        "--test_env=GIVEN=1",
        REALSERVICES_BCR="no",
        REALSERVICES_PASS_ENV="MORE",
        PIP_INDEX_URL="https://user:secret@index.test/simple",
        NODE_EXTRA_CA_CERTS="/of/the/machine.pem",
        npm_config_registry="https://npm.test/",
        WANTED="wanted",
        MORE="more",
        GIVEN="not this",
        PYTHONPATH="/of/the/machine",
        state="exported by chance",
    )

    inside = dict(line.split("=", 1) for line in machine.recorded("environment"))
    assert inside["PIP_INDEX_URL"] == "https://user:secret@index.test/simple"
    assert (inside["WANTED"], inside["MORE"]) == ("wanted", "more")
    assert not {"GIVEN", "PYTHONPATH", "state", "RECORD"} & set(inside)
    assert inside["HOME"] == f"{machine.cache}/somebody/home"
    assert inside["PIP_CACHE_DIR"] == f"{machine.cache}/somebody/pip"
    assert inside["BAZEL_DEV_VERSION_OVERRIDE"] == "7.7.1"
    assert inside["NETRC"] == str(machine.home / ".netrc")
    assert inside["NPM_CONFIG_USERCONFIG"] == str(machine.home / ".npmrc")
    assert inside["NODE_EXTRA_CA_CERTS"] == "/of/the/machine.pem"
    assert inside["npm_config_registry"] == "https://npm.test/"
    assert inside["PATH"].split(":")[-1] == "/bin"
    assert "secret" not in "\n".join(machine.recorded("arguments"))


def test_other_mounts_get_another_bazel_server(machine: Machine, tmp_path: Path) -> None:
    """A server keeps the mounts it was started with; it ends when its startup options differ."""

    def startup_option(**environment: str) -> str:
        machine.run("test", REALSERVICES_BCR="no", **environment)
        (option,) = [line for line in machine.recorded("arguments") if line.startswith("--host_jvm_args=-D")]
        return option

    machine.can_set_up()
    assert startup_option() == startup_option()
    assert startup_option() != startup_option(PIP_FIND_LINKS="/usr/share")


@pytest.mark.parametrize("runs", ["own", "rootfs"])
def test_links_to_the_output_of_the_other_bazel_are_removed(machine: Machine, runs: str) -> None:
    """`//...` would find BUILD files through them."""
    machine.can_set_up()
    own_bazel(machine, "8.0.0")
    targets = {
        "bazel-bin": f"{machine.cache}/somebody/bazel/0123/execroot/_main/bazel-out/k8-fastbuild/bin",
        "bazel-workspace": "/home/somebody/.cache/bazel/_bazel_somebody/0123/execroot/_main",
        "bazel-notes": str(machine.home),
    }
    machine.cache.mkdir()
    for name, target in targets.items():
        (machine.workspace / name).symlink_to(target)

    outcome = machine.run("test", REALSERVICES_BAZELW=runs, REALSERVICES_BCR="no")

    gone = {"own": "bazel-bin", "rootfs": "bazel-workspace"}[runs]
    assert f"removed links to the output of another Bazel: {gone}\n" in outcome.stderr
    assert {path.name for path in machine.workspace.glob("bazel-*")} == set(targets) - {gone}


# Real runs.


class RealWorkspace:
    """A workspace, and calls of bazelw in it with the root filesystem that is there already."""

    def __init__(self, directory: Path, cache: str) -> None:
        self.directory = directory
        self.environment = os.environ | {"REALSERVICES_CACHE_DIR": cache, "REALSERVICES_BAZELW": "rootfs"}

    def start(self, *arguments: str, program: Path = BAZELW, below: str = ".") -> subprocess.Popen[str]:
        return start([program, *arguments], self.directory / below, self.environment)

    def run(self, *arguments: str, program: Path = BAZELW, below: str = ".") -> Outcome:
        return end_of(self.start(*arguments, program=program, below=below))


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealWorkspace]:
    """Skipped where no root filesystem is there yet: making one takes a minute and 1.5 GB."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rules_realservices"
    cache = os.environ.get("REALSERVICES_CACHE_DIR") or str(default)
    if not list(Path(cache).glob("rootfs-*/.complete")):
        pytest.skip(f"no root filesystem in {cache}: call tools/bazelw once with REALSERVICES_BAZELW=rootfs")
    (tmp_path / "sub").mkdir()
    (tmp_path / "MODULE.bazel").write_text(
        'module(name = "real")\nbazel_dep(name = "rules_python", version = "1.7.0")\n'
    )
    (tmp_path / "WORKSPACE").write_text('workspace(name = "real")\n')
    programs = {
        "pass": "",
        "fail": "raise SystemExit(1)",
        "wait": "import time\nprint('up', flush=True)\ntime.sleep(600)",
    }
    rules = ['load("@rules_python//python:defs.bzl", "py_test")']
    for name, program in programs.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(program))
        rules.append(f'py_test(name = "{name}", srcs = ["{name}.py"], main = "{name}.py")')
    (tmp_path / "BUILD").write_text("\n".join(rules))
    workspace = RealWorkspace(tmp_path, cache)
    yield workspace
    workspace.run("clean", "--expunge")


def test_real_bazel_runs_tests_in_linux_sandbox_and_its_server_stays(real: RealWorkspace, tmp_path: Path) -> None:
    link = tmp_path / "link-to-bazelw"
    link.symlink_to(BAZELW)

    first = real.run("test", "//:pass", "--build_event_json_file=events.json")
    second = real.run("test", "//:pass", program=link, below="sub")

    assert first.code == second.code == 0, first.stderr
    assert "linux-sandbox" in first.stderr.split("processes:")[1].splitlines()[0]
    assert "PASSED" in first.stdout
    assert "Starting local Bazel server" not in second.stderr
    assert (tmp_path / "bazel-testlogs/pass/test.log").is_file()
    assert not (tmp_path / "MODULE.bazel.lock").exists()
    events = [json.loads(line) for line in (tmp_path / "events.json").read_text().splitlines()]
    assert any("testSummary" in event for event in events)
    assert real.run("test", "//:fail").code == 3


def test_real_bazel_tells_rulesets_its_version(real: RealWorkspace) -> None:
    (real.directory / "MODULE.bazel").write_text('module(name = "real", bazel_compatibility = [">=8.0.0"])\n')
    (real.directory / "BUILD").write_text("")
    outcome = real.run("query", "//...")

    assert outcome.code != 0
    assert "Bazel version 7.7.1 is not compatible" in outcome.stderr


def test_real_bazel_in_workspace_mode(real: RealWorkspace) -> None:
    outcome = real.run("test", "//:pass", "--noenable_bzlmod", "--enable_workspace")

    assert outcome.code == 0, outcome.stderr


def test_real_bazel_ends_its_test_on_ctrl_c(real: RealWorkspace) -> None:
    process = real.start("test", "//:wait", "--test_output=streamed")
    assert process.stdout is not None
    assert any(line == "up\n" for line in process.stdout)

    os.killpg(process.pid, signal.SIGINT)

    outcome = end_of(process)
    assert outcome.code == 8, outcome.stderr
    assert "build interrupted" in outcome.stderr
