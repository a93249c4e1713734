"""`bazel run` of a `service_group`: runs its services until Ctrl-C or for one command, or speaks to those that run."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from realservices.control.client import BlockingServiceControl
from realservices.control.conditions import Condition, print_conditions
from realservices.control.console import Console
from realservices.control.log_files import LogFile
from realservices.control.screen import Screen
from realservices.control.steering import restart, stop
from realservices.launcher.action import Action
from realservices.launcher.group import commands
from realservices.launcher.group.description import GroupError, find_description, get_description, group_record
from realservices.launcher.group.terminal_programs import Command, Hold
from realservices.launcher.group.watching import GroupWatcher
from realservices.system.terminal_text import as_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.contract.manifest import Manifest
    from realservices.control.run_record import RunRecord
    from realservices.launcher.group.commands import Words

_EXIT_USAGE = 64  # EX_USAGE of sysexits.h: nothing that a command usually returns.
_EXIT_INTERRUPTED = 128 + signal.SIGINT
_SPEAKER = "realservices"
_USAGE = """\
usage: bazel run {label} [-- …]

  (nothing)         run the services until Ctrl-C
  --logs            the same, and show what they write
  exec COMMAND …    run a command with services of its own, and return its exit code
  psql …            connect to the first PostgreSQL of the group that runs, or to one of its own
  redis-cli …       the same for the first Redis

of the group that runs in another terminal:
  env               print its environment for a shell: eval "$(bazel run {label} -- env)"
  status            say how its services are
  logs SERVICE      print what a service has written; -n LINES: the last ones, -f: and what it writes from now on
  restart SERVICE   stop a service and start it again; what it keeps on disk stays
  stop SERVICE      stop a service
"""


def run_group(manifest: Manifest, runfiles: str, arguments: list[str]) -> int:
    """Do what the arguments say with the services of a group; return the exit code.

    Raises:
        RealServicesError: It cannot be done.
    """
    record = group_record(manifest, runfiles)
    if arguments in ([], ["--logs"]):
        return _hold(manifest, runfiles, record, wants_logs=bool(arguments))
    word, rest = arguments[0], arguments[1:]
    if word == "exec" and rest:
        return _run(manifest, runfiles, commands.command(rest))
    if words := commands.client(manifest, runfiles, word, rest):
        return _connect(manifest, runfiles, record, words)
    if word == "logs" and rest:
        return _print_log(manifest.label, record, rest)
    if (word, len(rest)) in _ASKED:
        _ask(get_description(manifest.label, record), manifest.label, word, *rest)
        return 0
    is_asked_for = word in ("help", "--help", "-h")
    print(_USAGE.format(label=manifest.label), end="", file=sys.stdout if is_asked_for else sys.stderr)
    return 0 if is_asked_for else _EXIT_USAGE


_ASKED = (("env", 0), ("status", 0), ("restart", 1), ("stop", 1))


def _ask(description: dict[str, Any], label: str, word: str, name: str = "") -> None:
    """Ask the group that runs, and print what it says."""
    console = Console()
    control = BlockingServiceControl(description["control"])
    if word == "env":
        print(commands.export_lines(description), end="", flush=True)
    elif word == "status":
        print_conditions(console, _conditions(description, control))
    elif word == "restart":
        _known(description, label, name)
        console.line(f"{name} is ready in {restart(control, name):.0f} ms")
    else:
        _known(description, label, name)
        stop(control, name)
        console.line(f"{name} is stopped")


def _conditions(description: dict[str, Any], control: BlockingServiceControl) -> list[Condition]:
    services = description["services"]
    return [
        Condition(name, status.state, services[name]["url"], pid=status.pid or 0)
        for name, status in control.status().items()
        if name in services
    ]


def _print_log(label: str, record: RunRecord, arguments: list[str]) -> int:
    import argparse  # noqa: PLC0415 - for this command only

    from realservices.control.log_printing import add_log_options, print_log  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog=f"bazel run {label} -- logs")
    add_log_options(parser)
    options = parser.parse_args(arguments)
    log = LogFile(Path(_known(get_description(label, record), label, options.service)["log"]))
    try:
        print_log(log, options, lambda: record.find() is not None)
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    return 0


def _known(description: dict[str, Any], label: str, name: str) -> dict[str, Any]:
    services: dict[str, dict[str, Any]] = description["services"]
    if name not in services:
        raise GroupError(f"{label} has no service {name!r}; it has {', '.join(services)}")
    return services[name]


def _hold(manifest: Manifest, runfiles: str, record: RunRecord, *, wants_logs: bool) -> int:
    # Passwords are in the URLs: this is the developer's own terminal.
    screen = Screen([spec.name for spec in manifest.services], _SPEAKER, shows_passwords=True)
    watcher = GroupWatcher(screen, wants_logs=wants_logs, announces=True)
    record.take()
    try:
        program = Hold(manifest, runfiles, record, watcher)
        action = Action(manifest, runfiles, program, watcher=watcher, fixed_ports=manifest.test.ports)
        code, reason = action.run()
    finally:
        record.leave()
    if program.begins_anew:
        sys.stdout.flush()
        # As another process image: everything is read again, and ibazel keeps the process that it talks to.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell on purpose
    if watcher.is_up:
        # Ended as it was meant to end; failures in between have been told when they happened.
        screen.say(f"\n{manifest.label} has ended, nothing of it is left")
        return 0
    return _told(manifest, code, reason)


def _connect(manifest: Manifest, runfiles: str, record: RunRecord, words: Words) -> int:
    """Become a client of the group that runs, or run the client with services of its own."""
    description = find_description(manifest.label, record)
    if description:
        argv, env = words(description)
        os.chdir(commands.working_directory())
        sys.stdout.flush()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and so would the client.
            signal.signal(number, signal.SIG_DFL)
        os.execve(argv[0], argv, env)  # noqa: S606 - no shell on purpose
    return _run(manifest, runfiles, words)


def _run(manifest: Manifest, runfiles: str, words: Words) -> int:
    """Run a command with fresh services on leased ports, so that it does not meet the group that runs."""
    # A command's standard output is its own.
    watcher = GroupWatcher(Screen([spec.name for spec in manifest.services], _SPEAKER, output=sys.stderr))
    return _told(manifest, *Action(manifest, runfiles, Command(manifest, runfiles, words), watcher=watcher).run())


def _told(manifest: Manifest, code: int, reason: str) -> int:
    if reason:
        print(as_output(f"\nrealservices: {manifest.label}: {reason}"), file=sys.stderr, flush=True)
    return code
