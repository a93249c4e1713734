"""What a second terminal does to a service that runs: stop it, and start it again."""

from __future__ import annotations

from realservices.control.states import FAILED, STARTING, STOPPED, WAITING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.control.client import BlockingServiceControl


def stop(control: BlockingServiceControl, name: str) -> None:
    """Stop a service and wait for its end; one that does not run is left as it is.

    Raises:
        ControlError: There is none of this name, or the process that runs it does not answer.
    """
    known = control.status().get(name)
    if known and known.state == STARTING:
        control.kill(name)  # It may not have its signal handlers yet.
    elif not known or known.state not in (STOPPED, FAILED, WAITING):
        control.stop(name)


def restart(control: BlockingServiceControl, name: str) -> float:
    """Stop a service if it runs, start it again, and return how many milliseconds that start took.

    Raises:
        ControlError: See `stop`; or it does not start.
    """
    stop(control, name)
    control.start(name)
    return control.status()[name].ready_ms or 0.0
