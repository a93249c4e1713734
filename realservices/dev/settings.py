"""The variables by which a CI job switches a whole run, and their allowed values.

USE_REAL_SERVICES, DYNAMIC_PORTS and TEST_ISOLATION are switches of the same kind: on, unless they say otherwise.
"""

from __future__ import annotations

import os

from realservices.sources.errors import SettingError

USE_REAL_SERVICES = "USE_REAL_SERVICES"
DYNAMIC_PORTS = "DYNAMIC_PORTS"
TEST_ISOLATION = "TEST_ISOLATION"
SWITCHES = (USE_REAL_SERVICES, DYNAMIC_PORTS, TEST_ISOLATION)
_VALUES = {"": True, "true": True, "1": True, "false": False, "0": False}


def is_on(variable: str) -> bool:
    """Return whether a switch is on. One that is not set, or empty, is.

    Raises:
        SettingError: It has another value than the allowed ones.
    """
    value = os.environ.get(variable, "")
    if value.lower() not in _VALUES:
        raise SettingError(f"{variable}={value!r} is neither on nor off; write true, 1, false or 0, or unset it")
    return _VALUES[value.lower()]


def check_switches() -> None:
    """Look at all switches, so that a wrong one is told of before anything starts.

    Raises:
        SettingError: One has a value that is not allowed.
    """
    for variable in SWITCHES:
        is_on(variable)
