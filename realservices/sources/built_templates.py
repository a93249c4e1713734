"""The user's cache of templates for sessions outside of Bazel: a schema is built once, not once a session.

A template lies under the digest of everything that it is made from. Two sessions that need the same one build it once
(system/directory_cache.py). What is not in use is removed when the cache grows.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from realservices.contract.errors import TemplateError
from realservices.contract.user_variables import CACHE_MB
from realservices.sources.build_progress import build_of
from realservices.sources.package import package_command
from realservices.system.directory_cache import DirectoryCache, cache_limit_bytes
from realservices.system.directory_safety import SHORT_BASES
from realservices.system.own_environment import own_environment
from realservices.system.removal import discard_tree
from realservices.system.user_directory import present_user_directories, user_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.sources.build_progress import Build
    from realservices.sources.recipe import Layers, Recipe
    from realservices.system.directory_cache import Lease

ARCHIVE, INFO = "template.tar", "template.json"
BASE = "base.tar"
"""The archive of the template that this one begins from, where ``ARCHIVE`` holds only what differs from that."""

_VARIABLE = "XDG_CACHE_HOME"
_FOLDER = "schemas"
_MUTEX = "building"
# The tool's words, and those of the servers that it runs.
_FULL = os.strerror(errno.ENOSPC)


@contextlib.contextmanager
def template(recipe: Recipe, service: str) -> Iterator[Path]:
    """Give the directory with a service's template and its description, which stays for as long as it is used.

    Args:
        recipe: How to make it, if need be.
        service: The service's name, to show what is being built.

    Raises:
        TemplateError: The server refuses a statement, or there is no room for what it makes.
    """
    cache = _open_cache()
    try:
        lease = cache.lease_made(recipe.digest) or _lease_built(cache, recipe, service)
    except OSError as error:
        raise _no_room(Path(cache.path), error) from None
    try:
        yield Path(lease.path)
    finally:
        lease.release()


def _lease_built(cache: DirectoryCache, recipe: Recipe, service: str) -> Lease:
    with build_of(service) as build:
        return _lease(cache, recipe, build)


def _lease(cache: DirectoryCache, recipe: Recipe, build: Build) -> Lease:
    return cache.lease(recipe.digest, lambda path: _build(cache, Path(path), recipe, build), lambda: None)


def cache_directory() -> Path:
    """Return where templates are kept: below XDG_CACHE_HOME, or ~/.cache, or in this user's directory in /tmp.

    The last one is for a user without a home that can be written to, as whom containers are often run. It is not made.
    """
    directory = _directory_at_home()
    if directory and (os.environ.get(_VARIABLE) or os.access(_nearest(directory), os.W_OK | os.X_OK)):
        return directory
    present = [Path(path) / _FOLDER for path in present_user_directories(_bases())]
    return next((path for path in present if path.is_dir()), directory or Path(_bases()[0]) / _FOLDER)


def _open_cache() -> DirectoryCache:
    directory = _directory_at_home()
    refusal: OSError | None = None
    if directory:
        try:
            return DirectoryCache(str(directory), _MUTEX, is_whole=_is_whole, size_of=_archive_size)
        except OSError as error:
            if os.environ.get(_VARIABLE):
                raise _no_room(directory, error) from None
            refusal = error
    own = user_directory(
        _bases(),
        component="cache",
        purpose="schemas" + (f" (not {directory} either: {refusal.strerror})" if refusal else ""),
        remedy=f"set {_VARIABLE} to a directory that can be written to",
    )
    try:
        return DirectoryCache(f"{own}/{_FOLDER}", _MUTEX, is_whole=_is_whole, size_of=_archive_size)
    except OSError as error:
        raise _no_room(Path(own), error) from None


def _directory_at_home() -> Path | None:
    """Return where a user's schemas are kept; None: he has no home, as with HOME=/nonexistent, which must stay so."""
    named = os.environ.get(_VARIABLE)
    try:
        home = Path.home()
    except RuntimeError:  # No HOME, and the machine has no name for this user.
        home = None
    if not named and not (home and home.is_dir()):
        return None
    return Path(named or f"{home}/.cache") / "rules_realservices" / "templates"


def _bases() -> tuple[str, ...]:
    return tuple(dict.fromkeys((tempfile.gettempdir(), *SHORT_BASES)))


def _nearest(path: Path) -> Path:
    """Return the deepest directory on the way to a path that is there."""
    return next(each for each in (path, *path.parents) if each.exists())


def _is_whole(path: str) -> bool:
    try:
        begins_from_another = "base" in json.loads(Path(path, INFO).read_bytes())
    except (OSError, ValueError):
        return False
    return Path(path, ARCHIVE).is_file() and (Path(path, BASE).is_file() or not begins_from_another)


def _archive_size(path: str) -> int:
    archives = [each.stat() for name in (ARCHIVE, BASE) if (each := Path(path, name)).is_file()]
    return sum(each.st_size // each.st_nlink for each in archives)


def _build(cache: DirectoryCache, partial: Path, recipe: Recipe, build: Build) -> None:
    with contextlib.ExitStack() as stack:
        command = recipe.command
        base = None
        if recipe.layers:
            count, lease = _base(cache, recipe.layers, build)
            stack.callback(lease.release)
            base = Path(lease.path)
            command = [*recipe.layers.last_command(count), *_base_options(base)]
        cache.shrink(cache_limit_bytes(CACHE_MB))  # Now the base is in use, and stays.
        _run(partial, command, recipe.directory, build)
        if base and json.loads((partial / INFO).read_bytes()).get("base"):
            _keep(base / BASE if (base / BASE).exists() else base / ARCHIVE, partial / BASE)


def _base_options(base: Path) -> list[str]:
    whole = ["--base-whole", f"{base}/{BASE}"] if (base / BASE).exists() else []
    return ["--base", f"{base}/{ARCHIVE}", "--base-info", f"{base}/{INFO}", *whole]


def _keep(archive: Path, path: Path) -> None:
    """Have an archive at another place, too: it stays there if the first one is removed to make room."""
    try:
        path.hardlink_to(archive)
    except OSError:
        shutil.copyfile(archive, path)


def _base(cache: DirectoryCache, layers: Layers, build: Build) -> tuple[int, Lease]:
    """Return a template to begin from, and how many migrations it has: the nearest that is there, or one at a cut."""
    for count in layers.candidates:
        if lease := cache.lease_made(layers.digests[count]):
            return count, lease
    if layers.cut:
        return layers.cut, _lease(cache, layers.recipe(layers.cut), build)
    return 0, _lease(cache, layers.base, build)


def _run(partial: Path, command: list[str], directory: Path, build: Build) -> None:
    partial.mkdir(mode=0o700)
    outputs = ["--output", str(partial / ARCHIVE), "--info", str(partial / INFO)]
    try:
        done = _made(package_command(*command, *outputs), directory, build)
        if done.returncode:
            if _FULL in done.stderr:
                raise OSError(errno.ENOSPC, _FULL, str(partial.parent))
            words = (done.stdout + done.stderr).strip()
            raise TemplateError(words or f"the template tool ended with code {done.returncode}, and said nothing")
    except BaseException:
        discard_tree(str(partial))
        raise


def _no_room(directory: Path, error: OSError) -> TemplateError:
    place = f" ({error.filename})" if error.filename and error.filename != str(directory) else ""
    return TemplateError(
        f"no room for a template in {directory}: {error.strerror or error}{place}; make room there "
        "(`python -m realservices clean --templates` removes templates that are not in use), or set "
        "XDG_CACHE_HOME to a directory that can be written to"
    )


def _made(command: list[str], directory: Path, build: Build) -> subprocess.CompletedProcess[str]:
    """Run the template tool, which ends with this process whatever ends that: nobody else has this end of the pipe."""
    theirs, ours = os.pipe()
    with os.fdopen(ours, "wb") as end, tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        try:
            tool = _started([*command, "--lifeline", str(theirs)], directory, theirs, errors)
        finally:
            os.close(theirs)
        with tool, end:  # That is closed first: then the tool ends.
            assert tool.stdout is not None
            output = build.follow(tool.stdout)
            tool.wait()
        errors.seek(0)
        return subprocess.CompletedProcess(tool.args, tool.returncode, output, errors.read())


def _started(command: list[str], directory: Path, lifeline: int, errors: IO[str]) -> subprocess.Popen[str]:
    try:
        # A session of its own: Ctrl-C must not end it without what it has started.
        return subprocess.Popen(
            command, pass_fds=[lifeline], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=errors, text=True, errors="replace", env=own_environment(), cwd=directory,
        )  # fmt: skip
    except OSError as error:
        raise TemplateError(f"the template tool ({command[0]}) does not start: {error.strerror or error}") from None
