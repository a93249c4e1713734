"""What the machine has: CPUs that this process may use, and memory that is free. Asked of psutil.

psutil is imported here and nowhere else, when something is first asked: a test that optimizes nothing never loads it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from realservices.contract.errors import RealServicesError
from realservices.system.memory import left_to_container


class MissingPsutilError(RealServicesError, ImportError):
    """psutil is not installed."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine at one moment.

    Attributes:
        cpus: CPUs that this process may use.
        free_bytes: Memory that could be taken without swapping.
    """

    cpus: int
    free_bytes: int


def load_psutil() -> Any:
    """Return the module psutil.

    Raises:
        MissingPsutilError: It is not there.
    """
    try:
        import psutil  # noqa: PLC0415 - see above
    except ImportError as error:
        raise MissingPsutilError(
            f"realservices.performance_optimization needs psutil ({error}): `pip install psutil`; a "
            'real_service_test with srcs has it (or deps = ["@rules_realservices//third_party/python:psutil"])'
        ) from error
    return psutil


def this_machine() -> Machine:
    """Look at the machine."""
    psutil = load_psutil()
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1
    # psutil knows only the whole machine.
    return Machine(cpus, min(psutil.virtual_memory().available, left_to_container()))
