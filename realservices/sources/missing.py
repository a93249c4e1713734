"""A service that is not there: whether that is an error or a reason to skip, and what to say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from realservices.contract.user_variables import REQUIRE
from realservices.sources.variables import variable_of

if TYPE_CHECKING:
    from realservices.sources.launched import LaunchedServices

_READY_MADE = "@rules_realservices//services:{kind}"


def services_are_required() -> bool:
    """Return whether a test without its service must fail: under Bazel, or where REALSERVICES_REQUIRE says so."""
    if os.environ.get(REQUIRE, "") not in ("", "0"):
        return True
    return is_under_bazel()


def is_under_bazel() -> bool:
    """Return whether this is a test action of Bazel."""
    return "TEST_SRCDIR" in os.environ or "BAZEL_TEST" in os.environ


def explain_unlaunched(kind: str) -> str:
    """Explain that there is no a service of this kind."""
    target = os.environ.get("TEST_TARGET", "")
    where = f"target {target}" if target else "the test's real_service_test target"
    return (
        f"this test needs a {kind} service, and no launcher has started one: add {_entry(kind)} "
        f"(or your own {kind}_service) to {where}"
    )


def explain_undeclared(launched: LaunchedServices, kind: str, name: str | None) -> str:
    """Explain that the target does not declare a service of this kind or name."""
    have = ", ".join(launched.described) or "none"
    if name is not None:
        return f"this test asks for the {kind} service {name!r}; {launched.label} declares: {have}"
    return (
        f"this test needs a {kind} service; {launched.label} declares: {have}. "
        f"Add {_entry(kind)} or your own {kind}_service"
    )


def explain_uninstalled(
    kind: str, variable: str = "", program: str = "an installed one", *, has_extra: bool = True, entry: str = ""
) -> str:
    """Explain that there is nothing on this machine to start a service of this kind with.

    Args:
        kind: It.
        variable: What names a server of the machine's own; empty: nothing does.
        program: What to name in it.
        has_extra: Whether an extra of the package brings one.
        entry: The ready-made target; empty: it is called like the kind.
    """
    install = f"run `pip install 'rules-realservices[{kind}]'`, " if has_extra else ""
    named = f"name {program} in {variable}, " if variable else ""
    return (
        f"this test needs a {kind} service, and this machine has none to start: {install}{named}name a running one in "
        f"{variable_of(kind)}, or run the test as a real_service_test with {_entry(entry or kind)}"
    )


def _entry(kind: str) -> str:
    return f'services = ["{_READY_MADE.format(kind=kind)}"]'
