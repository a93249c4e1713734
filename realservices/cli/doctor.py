"""Say what works on this machine and in this project, what does not, what that means for tests, and how to mend it.

Nothing is changed and nothing is left behind.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from realservices.cli.checks.bazel_itself import check_bazel
from realservices.cli.checks.client_libraries import check_clients
from realservices.cli.checks.declared_services import check_project
from realservices.cli.checks.external_servers import check_external
from realservices.cli.checks.finding import Finding, Verdict, error
from realservices.cli.checks.killed_sessions import check_leftovers
from realservices.cli.checks.network import check_abstract_sockets, check_loopback, check_ports
from realservices.cli.checks.platform_and_settings import (
    check_open_files,
    check_platform,
    check_processes,
    check_python,
    check_settings,
)
from realservices.cli.checks.private_namespaces import check_namespaces
from realservices.cli.checks.server_programs import check_programs
from realservices.cli.checks.shared_memory import (
    check_registry,
    check_shared_memory,
    check_socket_paths,
    check_temporary_space,
)
from realservices.cli.checks.whole_session import check_session
from realservices.cli.exit_codes import EXIT_ERROR, EXIT_OK
from realservices.cli.servers import add_server_options, use_servers
from realservices.control.console import Console

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

HELP = "say what works here, what does not, and how to mend it"
_VERSION = 1
_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.ERROR: "red"}
_VERDICT_WIDTH, _INDENT = 9, 11

CHECKS: tuple[Callable[[], Finding | list[Finding]], ...] = (
    check_platform,
    check_python,
    check_settings,
    check_namespaces,
    check_shared_memory,
    check_registry,
    check_temporary_space,
    check_socket_paths,
    check_abstract_sockets,
    check_loopback,
    check_ports,
    check_open_files,
    check_processes,
    check_clients,
    check_programs,
    check_external,
    check_project,
    check_leftovers,
)
"""In the order in which one thing stands on another."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--deep", action="store_true", help="also run a whole session, as plain pytest would (some seconds)"
    )
    parser.add_argument(
        "--bazel", nargs="?", const="", metavar="COMMAND",
        help="also look at Bazel and its sandbox (by default BAZEL, or bazel or bazelisk on PATH)",
    )  # fmt: skip
    add_server_options(parser, "look at")


def run(options: argparse.Namespace) -> int:
    """Look at everything, print it, and return 1 if something is wrong."""
    use_servers(options)
    console = Console()
    checks = list(CHECKS)
    if options.deep:
        checks.append(check_session)
    if options.bazel is not None:
        checks.append(lambda: check_bazel(options.bazel))
    begin = time.monotonic()
    findings = []
    for finding in _examine(checks, console):
        findings.append(finding)
        if not options.json:
            _print(finding, console)
    elapsed_s = time.monotonic() - begin
    worst = max((finding.verdict for finding in findings), key=list(Verdict).index)
    if options.json:
        console.json(_as_json(findings, worst, elapsed_s))
    else:
        counts = {verdict: sum(each.verdict is verdict for each in findings) for verdict in Verdict}
        console.line(
            ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items()) + f" ({elapsed_s:.1f} s)"
        )
    return EXIT_ERROR if worst is Verdict.ERROR else EXIT_OK


def _examine(checks: list[Callable[[], Finding | list[Finding]]], console: Console) -> Iterator[Finding]:
    for number, check in enumerate(checks, 1):
        name = getattr(check, "__name__", "").removeprefix("check_").strip("<>").replace("_", " ")
        console.progress(f"[{number}/{len(checks)}] {name} …")
        try:
            found = check()
        except Exception as failed:  # noqa: BLE001 - one check that this machine breaks must not hide the others
            found = error(
                name.replace(" ", "_"), name, f"the check itself failed: {type(failed).__name__}: {failed}",
                meaning="What it looks at is probably broken.",
                remedy="Look at it by hand, and report this as a bug of rules_realservices.",
            )  # fmt: skip
        console.progress("")
        yield from found if isinstance(found, list) else [found]


def _print(finding: Finding, console: Console) -> None:
    found = finding.found.replace("\n", "\n" + " " * _INDENT)
    verdict = console.coloured(finding.verdict.value.ljust(_VERDICT_WIDTH), _COLOURS[finding.verdict])
    console.line(f"{verdict}  {finding.title.ljust(20)}  {found}")
    if finding.meaning:
        console.paragraph(finding.meaning, _INDENT)
    if finding.remedy:
        console.paragraph(f"→ {finding.remedy}", _INDENT)


def _as_json(findings: list[Finding], worst: Verdict, elapsed_s: float) -> dict[str, object]:
    return {
        "version": _VERSION,
        "verdict": worst.value,
        "elapsed_s": round(elapsed_s, 3),
        "checks": [dataclasses.asdict(finding) for finding in findings],
    }
