"""`bazel run` of a `service_group`: runs its services until Ctrl-C or for one command, or speaks to those that run."""

from __future__ import annotations

import os
import signal
import sys

from realservices.contract.terminal_text import as_output
from realservices.launcher.action import Action
from realservices.launcher.group import commands
from realservices.launcher.group.client import GroupClient
from realservices.launcher.group.instance_lock import InstanceLock
from realservices.launcher.group.programs import Command, Hold
from realservices.launcher.group.screen import Screen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.manifest import Manifest
    from realservices.launcher.group.commands import Words

_EXIT_USAGE = 64  # EX_USAGE of sysexits.h: nothing that a command usually returns.
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
  logs SERVICE      print what a service has written
  restart SERVICE   stop a service and start it again; what it keeps on disk stays
  stop SERVICE      stop a service
"""


def run_group(manifest: Manifest, runfiles: str, arguments: list[str]) -> int:
    """Do what the arguments say with the services of a group; return the exit code.

    Raises:
        RealServicesError: It cannot be done.
    """
    instance = InstanceLock(manifest.label, runfiles)
    if arguments in ([], ["--logs"]):
        return _hold(manifest, runfiles, instance, wants_logs=bool(arguments))
    word, rest = arguments[0], arguments[1:]
    if word == "exec" and rest:
        return _run(manifest, runfiles, commands.command(rest))
    if words := commands.client(manifest, runfiles, word, rest):
        return _connect(manifest, runfiles, instance, words)
    if (word, len(rest)) in _ASKED:
        text = _answer(manifest.label, instance, word, *rest)
        if sys.stdout.isatty():
            text = as_output(text.replace("\r\n", "\n"))
        print(text, end="" if text.endswith("\n") else "\n", flush=True)
        return 0
    is_asked_for = word in ("help", "--help", "-h")
    print(_USAGE.format(label=manifest.label), end="", file=sys.stdout if is_asked_for else sys.stderr)
    return 0 if is_asked_for else _EXIT_USAGE


_ASKED = (("env", 0), ("status", 0), ("logs", 1), ("restart", 1), ("stop", 1))


def _answer(label: str, instance: InstanceLock, word: str, name: str = "") -> str:
    """Return what to print after asking the group that runs."""
    description = instance.get()
    if word == "env":
        return commands.export_lines(description)
    client = GroupClient(label, description)
    if word == "status":
        return "\n".join(client.status())
    if word == "logs":
        return client.log(name)
    if word == "restart":
        return f"{name} is ready in {client.restart(name):.0f} ms"
    client.stop(name)
    return f"{name} is stopped"


def _hold(manifest: Manifest, runfiles: str, instance: InstanceLock, *, wants_logs: bool) -> int:
    screen = Screen([spec.name for spec in manifest.services], wants_logs=wants_logs, announces=True)
    instance.take()
    try:
        program = Hold(manifest, runfiles, instance, screen)
        action = Action(manifest, runfiles, program, watcher=screen, fixed_ports=manifest.test.ports)
        code, reason = action.run()
    finally:
        instance.leave()
    if program.begins_anew:
        sys.stdout.flush()
        # As another process image: everything is read again, and ibazel keeps the process that it talks to.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell on purpose
    if screen.is_up:
        # Ended as it was meant to end; failures in between have been told when they happened.
        screen.say(f"\n{manifest.label} has ended, nothing of it is left")
        return 0
    return _told(manifest, code, reason)


def _connect(manifest: Manifest, runfiles: str, instance: InstanceLock, words: Words) -> int:
    """Become a client of the group that runs, or run the client with services of its own."""
    description = instance.find()
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
    screen = Screen([spec.name for spec in manifest.services], wants_logs=False, announces=False)
    return _told(manifest, *Action(manifest, runfiles, Command(manifest, runfiles, words), watcher=screen).run())


def _told(manifest: Manifest, code: int, reason: str) -> int:
    if reason:
        print(as_output(f"\nrealservices: {manifest.label}: {reason}"), file=sys.stderr, flush=True)
    return code
