"""Migrators: programs of a project's own that make its schema, run while a template is built.

What runs is described by the option ``--migrate`` of the template tools, as JSON or the file that holds it:
``migrators``, a list of ``name`` (for messages), ``program``, ``args`` (a list of parts each, see
contract.environment.resolved_text), ``env``, ``cwd`` (where it runs, from its own directory on) and ``files`` (their
paths by those that they have in that directory); ``env``, parts by name, for all of them; ``timeout_s``.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys

import realservices
from realservices.contract.errors import TemplateError
from realservices.host.process import die_with_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def add_migrate_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--migrate`` to a template tool's command line; `migrators_of` reads it."""
    parser.add_argument("--migrate", type=_read, default={}, help="what makes the schema, JSON, or a file")


def run_migrators(
    spec: dict[str, Any],
    kind: str,
    endpoint: dict[str, Any],
    directory: str,
    *,
    traces: Callable[[], object],
    remedy: str,
) -> None:
    """Run all of them, in order, on a server that listens on loopback.

    Args:
        spec: What ``--migrate`` says.
        kind: The server's.
        endpoint: How it is reached: the fields of a service's endpoint.
        directory: A path for their HOME, which is made.
        traces: Ends the connections that clients have left, and returns what any use of the server changes.
        remedy: How a migrator that has not used the server is brought to it.

    Raises:
        TemplateError: One of them fails, does not end in time, or has not used this server.
    """
    before = traces()
    for migrator in spec["migrators"]:
        request = {
            "kind": kind,
            "endpoint": endpoint,
            "directory": directory,
            "base": os.getcwd(),
            "env": spec["env"],
            "timeout_s": spec["timeout_s"],
            "migrator": migrator,
        }
        _run(request)
        earlier, before = before, traces()
        if before == earlier:
            raise TemplateError(
                f"migrate: {migrator['name']} ended with code 0 and has never connected to this server, so it has "
                f"migrated nothing, or another database. Have it take the address from {remedy}"
            )


def _read(text: str) -> Any:
    if not text.startswith("{"):
        with open(text, encoding="utf-8") as file:
            text = file.read()
    return json.loads(text)


def _run(request: dict[str, Any]) -> None:
    directory = os.path.dirname(os.path.abspath(realservices.__file__))
    # Within an archive, that is the program.
    program = directory if os.path.isdir(directory) else os.path.dirname(directory)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", program, "migrator"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        preexec_fn=functools.partial(die_with_parent, os.getpid()),
    )
    if done.returncode:
        raise TemplateError((done.stderr + done.stdout).strip() or f"its process ended with code {done.returncode}")
