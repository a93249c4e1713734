"""The states of a service, as whoever runs it tells them."""

STARTING, READY, STOPPED, PAUSED, FAILED, WAITING = "starting", "ready", "stopped", "paused", "failed", "waiting"
