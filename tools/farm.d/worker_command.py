"""The command line of one worker: buildbox-worker, whose actions run in a root directory of their own."""

from __future__ import annotations

# What an action finds of this system: its interpreter and its shell. By their places, since links cannot be bound.
_SYSTEM = ("/usr:/usr", "/usr/bin:/bin", "/usr/lib:/lib", "/usr/lib64:/lib64", "/etc:/etc")


def worker_command(number: int, port: int) -> list[str]:
    """Return the command of a worker that takes one action at a time.

    Args:
        number: Which one.
        port: Where the server listens.
    """
    server = f"http://127.0.0.1:{port}"
    # Inputs are fetched for each action: no cache of a worker's own, whose daemon would be one more.
    runner = ["--disable-localcas", *(f"--ro-bind-mount={place}" for place in _SYSTEM)]
    return [
        "buildbox-worker",
        f"--remote={server}",
        f"--bots-remote={server}",
        f"--cas-remote={server}",
        "--concurrent-jobs=1",
        "--buildbox-run=/usr/bin/buildbox-run-bubblewrap",
        *(f"--runner-arg={option}" for option in runner),
        "--log-level=warning",
        f"worker-{number}",
    ]
