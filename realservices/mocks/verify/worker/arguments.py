"""How pytest is called: as the project says, without what spreads tests or writes into its tree."""

from __future__ import annotations

import functools
import importlib.metadata
import os

_PLUGIN = "realservices.fixtures.plugin"
# What switches off a plugin that would be in the way, where it is installed.
_SWITCHES = {"xdist": "-n0", "pytest_cov": "--no-cov", "rerunfailures": "--reruns=0"}


def pytest_arguments(test: str, scratch: str, extra: list[str]) -> list[str]:
    """Return pytest's arguments for a test file.

    Args:
        test: The file.
        scratch: A directory for what pytest keeps.
        extra: The user's own.
    """
    names = installed_plugins()
    arguments = ["-p", "no:randomly", "-o", f"cache_dir={scratch}/pytest_cache", "--tb=short", "--maxfail=0"]
    # Modules are imported before the tests to save time, plugins too.
    arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    if not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        arguments += [switch for name, switch in _SWITCHES.items() if name in names]
    if "realservices" not in names or os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        arguments += ["-p", _PLUGIN]
    return [*arguments, *extra, test]


@functools.cache
def installed_plugins() -> frozenset[str]:
    """Return the names of pytest's plugins that are installed. A process looks once: it takes 8 ms."""
    return frozenset(point.name for point in importlib.metadata.entry_points(group="pytest11"))
