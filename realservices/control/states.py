"""The states of a service, as the process that runs it tells them."""

STARTING, READY, STOPPED, PAUSED, FAILED, WAITING = "starting", "ready", "stopped", "paused", "failed", "waiting"
