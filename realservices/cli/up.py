"""Start this project's services and serve until Ctrl-C, SIGTERM or the terminal's end; then end all of them in order.

The services are those of [tool.realservices.services], or the named ones with what they need. Other programs find them
by the files in .service_discovery (docs/development.md); `status` and `logs` ask from a second terminal.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from realservices.cli.named_services import services_to_start
from realservices.cli.places import discovery_directory, up_record
from realservices.cli.servers import add_server_options, use_servers
from realservices.cli.serving import Serving
from realservices.control.screen import Screen
from realservices.dev.config import LauncherConfig
from realservices.dev.discovery import ServiceDiscovery
from realservices.dev.settings import DYNAMIC_PORTS, check_switches, is_on
from realservices.isolation.isolation_manager import process_manager
from realservices.sources.project import project_root
from realservices.sources.session import SESSION

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from realservices.control.run_record import RunRecord
    from realservices.sources.source import Declared

HELP = "start this project's services and serve until Ctrl-C"
EPILOG = (
    "Exit codes: 0 ended as it was meant to, after all services had been ready; 1 something did not start, or the "
    "process that ran the services was killed; 2 wrong usage; 130 interrupted while it started."
)
# A developer watches: it may take as long as a large schema takes to build.
_STARTUP_TIMEOUT_S = 120.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    import argparse  # noqa: PLC0415 - the frame has it

    parser.add_argument(
        "services", nargs="*", metavar="SERVICE", help="start these, and what they need; by default all"
    )
    parser.add_argument(
        "--dynamic-ports", action=argparse.BooleanOptionalAction, default=None,
        help="lease all ports. By default services have the ports that they declare in fixed_ports, and only others "
        f"leased ones; {DYNAMIC_PORTS} can say otherwise",
    )  # fmt: skip
    parser.add_argument("--logs", action="store_true", help="show what services write")
    parser.add_argument("--show-passwords", action="store_true", help="in URLs, also where the output is no terminal")
    parser.add_argument(
        "--startup-timeout", type=_seconds, default=_STARTUP_TIMEOUT_S, metavar="SECONDS",
        help=f"how long the start of all may take together; by default {_STARTUP_TIMEOUT_S:g}",
    )  # fmt: skip
    add_server_options(parser, "start")


def run(options: argparse.Namespace) -> int:
    """Start, serve, end."""
    check_switches()
    use_servers(options)
    # What it would say is said here.
    logging.getLogger("realservices.dev_launcher").addHandler(logging.NullHandler())
    root = project_root()
    manager = process_manager()
    wanted = services_to_start(manager.services, options.services, root)
    config = LauncherConfig(
        dynamic_ports=_has_dynamic_ports(options), test_mode=False, startup_timeout=options.startup_timeout,
        services=options.services, discovery_dir=discovery_directory(root),
    )  # fmt: skip
    running = up_record(root)
    running.take()
    try:
        manager.services.share()
        running.tell(directory=os.environ.get(SESSION, ""))
        for path in ServiceDiscovery(config.discovery_dir).stale_files():
            path.unlink(missing_ok=True)
        return asyncio.run(_serve(options, root, config, wanted, running))
    finally:
        running.leave()


async def _serve(
    options: argparse.Namespace, root: Path, config: LauncherConfig, wanted: Sequence[Declared], running: RunRecord
) -> int:
    serving = Serving(root, config, wanted, running, shows_logs=options.logs)
    names = [each.name for each in wanted]
    screen = Screen(
        names, "realservices up", is_json=options.json, shows_passwords=options.show_passwords, on_gone=serving.end
    )
    return await serving.run(screen)


def _has_dynamic_ports(options: argparse.Namespace) -> bool:
    if options.dynamic_ports is not None:
        return bool(options.dynamic_ports)
    # Who declares a port wants to find the service there. DYNAMIC_PORTS is on where nobody has set it.
    return bool(os.environ.get(DYNAMIC_PORTS)) and is_on(DYNAMIC_PORTS)


def _seconds(text: str) -> float:
    import argparse  # noqa: PLC0415 - as above

    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds
