"""Running a command whose failure ends the release."""

from __future__ import annotations

import subprocess

from release.errors import ReleaseError


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    """Run a command and return what it prints, without blanks around it.

    Raises:
        ReleaseError: It failed; with its last lines.
    """
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = "\n".join("  " + line for line in (done.stdout + done.stderr).splitlines()[-15:])
        raise ReleaseError(f"{' '.join(command)} failed (exit code {done.returncode}):\n{lines}")
    return done.stdout.strip()
