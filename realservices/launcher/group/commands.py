"""Commands that use a group's services: the environment as shell text, any program, a client of a service."""

from __future__ import annotations

import os

from realservices.contract import environment
from realservices.kinds.registry import find, names
from realservices.launcher.group.description import GroupError
from realservices.launcher.runtime_file import FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.contract.manifest import Manifest, ServiceSpec
    from realservices.kinds.kind import Kind

    # From a runtime description: program and arguments, and its whole environment.
    Words = Callable[[dict[str, Any]], tuple[list[str], dict[str, str]]]


def contract_environment(description: dict[str, Any]) -> dict[str, str]:
    """Return the variables of the environment contract, by which the Python fixtures find the services, too."""
    runtime = {environment.RUNTIME: f"{description['private']}/{FILE}"}
    return environment.service_environment(description["services"]) | runtime


def developers_environment(description: dict[str, Any]) -> dict[str, str]:
    """Return the whole environment of a command: the developer's, then the contract's."""
    # It names the group's runfiles, and would mislead a program that Bazel built.
    own = {name: value for name, value in os.environ.items() if name != "RUNFILES_DIR"}
    return own | contract_environment(description)


def export_lines(description: dict[str, Any]) -> str:
    """Return the contract as text for a shell."""
    variables = contract_environment(description)
    return "".join(f"export {name}={_quoted(value)}\n" for name, value in variables.items())


def command(arguments: list[str]) -> Words:
    """Return what runs a command of the developer's.

    Raises:
        GroupError: There is no such program.
    """
    words = [found_program(arguments[0]), *arguments[1:]]
    return lambda description: (words, developers_environment(description))


def client(manifest: Manifest, runfiles: str, name: str, arguments: list[str]) -> Words | None:
    """Return what connects a client to the first service of its kind; None: no kind has one of this name.

    Raises:
        GroupError: The group has no such service, or there is no such program.
    """
    kind = next((kind for kind in map(find, names()) if name and kind.client_command == name), None)
    if kind is None:
        return None
    spec = _first(manifest, kind)
    own = f"{kind.program_directory(spec.config, runfiles)}/{name}"
    try:
        program = own if os.access(own, os.X_OK) else found_program(name)
    except GroupError as error:
        raise GroupError(f"{error}{kind.client_remedy}") from None

    def words(description: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
        endpoint = description["services"][spec.name]
        options, env = kind.client_address(endpoint, developers_environment(description))
        return [program, *options, *arguments], env

    return words


def found_program(name: str) -> str:
    """Return the path of a program that is named as in a shell.

    Raises:
        GroupError: There is none.
    """
    here = working_directory()
    if "/" in name:
        candidates = [os.path.join(here, name)]
    else:
        candidates = [os.path.join(here, entry, name) for entry in os.environ.get("PATH", "").split(os.pathsep)]
    for path in candidates:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise GroupError(f"there is no program {name!r} in {here if '/' in name else 'PATH'}")


def working_directory() -> str:
    """Return where the developer stands; `bazel run` starts programs among their runfiles."""
    return os.environ.get("BUILD_WORKING_DIRECTORY") or os.getcwd()


def _first(manifest: Manifest, kind: Kind) -> ServiceSpec:
    for spec in manifest.services:
        if spec.kind == kind.name:
            return spec
    present = ", ".join(f"{spec.name} ({spec.kind})" for spec in manifest.services)
    raise GroupError(f"{manifest.label} has no {kind.title}; it has {present}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
