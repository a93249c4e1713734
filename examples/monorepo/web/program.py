"""A server as a program: what it must find in its environment, and that it serves until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from contextlib import AbstractAsyncContextManager
from typing import Any


def required_environment(parser: argparse.ArgumentParser, *names: str) -> list[str]:
    """Return the values of environment variables; one that is not set ends the program as wrong usage does."""
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        parser.error(f"set {' and '.join(missing)} in the environment")
    return [os.environ[name] for name in names]


async def serve_until_told(name: str, serving: AbstractAsyncContextManager[Any]) -> None:
    """Serve until SIGTERM or SIGINT; the first line of output ends with the address."""
    stopping = told_to_stop()
    async with serving as address:
        print(f"{name} is listening on {address}", flush=True)
        await stopping.wait()


def told_to_stop() -> asyncio.Event:
    """Return what is set at SIGTERM or SIGINT, which do nothing else from now on."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping
