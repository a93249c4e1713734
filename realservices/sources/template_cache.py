"""The user's cache of templates for sessions outside of Bazel: a schema is built once, not once a session.

A template lies under the digest of everything that it is made from. Two sessions that need the same one build it once
(contract/directory_cache.py). What nobody uses is removed when the cache grows.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.contract.directory_cache import DirectoryCache
from realservices.contract.errors import TemplateError
from realservices.contract.numbers import number_from
from realservices.contract.own_environment import own_environment
from realservices.contract.removal import discard_tree
from realservices.contract.user_directory import SHORT_BASES, present_user_directories, user_directory
from realservices.sources.package import package_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.contract.directory_cache import Lease
    from realservices.sources.recipes import Layers, Recipe

ARCHIVE, INFO = "template.tar", "template.json"
_VARIABLE = "XDG_CACHE_HOME"
_FOLDER = "schemas"
_LIMIT_VARIABLE = "REALSERVICES_CACHE_MB"
_DEFAULT_LIMIT_MB = 512
_MUTEX = "building"
_MOST_MB = 1 << 24
# The tool's words, and those of the servers that it runs.
_FULL = os.strerror(errno.ENOSPC)


@contextlib.contextmanager
def template(recipe: Recipe) -> Iterator[Path]:
    """Give the directory with a service's template and its description, which stays for as long as it is used.

    Raises:
        TemplateError: The server refuses a statement, or there is no room for what it makes.
    """
    cache = _open_cache()
    try:
        lease = _lease(cache, recipe)
    except OSError as error:
        raise _no_room(Path(cache.path), error) from None
    try:
        yield Path(lease.path)
    finally:
        lease.release()


def _lease(cache: DirectoryCache, recipe: Recipe) -> Lease:
    return cache.lease(recipe.digest, lambda path: _build(cache, Path(path), recipe), lambda: _make_room(cache))


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
    named = os.environ.get(_VARIABLE)
    try:
        base = Path(named) if named else Path.home() / ".cache"
    except RuntimeError:
        return None  # No HOME, and the machine has no name for this user.
    return base / "rules_realservices" / "templates"


def _bases() -> tuple[str, ...]:
    return tuple(dict.fromkeys((tempfile.gettempdir(), *SHORT_BASES)))


def _nearest(path: Path) -> Path:
    """Return the deepest directory on the way to a path that is there."""
    return next(each for each in (path, *path.parents) if each.exists())


def _is_whole(path: str) -> bool:
    return Path(path, ARCHIVE).is_file() and Path(path, INFO).is_file()


def _archive_size(path: str) -> int:
    return Path(path, ARCHIVE).stat().st_size


def _build(cache: DirectoryCache, partial: Path, recipe: Recipe) -> None:
    with contextlib.ExitStack() as stack:
        command = recipe.command
        if recipe.layers and (found := _base(cache, recipe.layers)):
            count, lease = found
            stack.callback(lease.release)
            base = ["--base", f"{lease.path}/{ARCHIVE}", "--base-info", f"{lease.path}/{INFO}"]
            command = [*recipe.layers.last_command(count), *base]
        _run(partial, command, recipe.directory)


def _base(cache: DirectoryCache, layers: Layers) -> tuple[int, Lease] | None:
    """Return a template to begin from, and how many migrations it has: the nearest that is there, or one at a cut."""
    for count in layers.candidates:
        if lease := cache.lease_made(layers.digests[count]):
            return count, lease
    return (layers.cut, _lease(cache, layers.recipe(layers.cut))) if layers.cut else None


def _run(partial: Path, command: list[str], directory: Path) -> None:
    partial.mkdir(mode=0o700)
    outputs = ["--output", str(partial / ARCHIVE), "--info", str(partial / INFO)]
    try:
        done = _made(package_command(*command, *outputs), directory)
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
        "(`python -m realservices clean --templates` removes templates that nobody uses), or set XDG_CACHE_HOME to a "
        "directory that can be written to"
    )


def _made(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the template tool, which ends with this process whatever ends that: nobody else has this end of the pipe."""
    theirs, ours = os.pipe()
    try:
        # A session of its own: Ctrl-C must not end it without what it has started.
        tool = subprocess.Popen(
            [*command, "--lifeline", str(theirs)], pass_fds=[theirs], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=own_environment(),
            cwd=directory,
        )  # fmt: skip
    except BaseException as error:
        os.close(ours)
        if isinstance(error, OSError):
            raise TemplateError(f"the template tool ({command[0]}) does not start: {error.strerror or error}") from None
        raise
    finally:
        os.close(theirs)
    with tool:
        try:
            output, errors = tool.communicate()
        finally:
            os.close(ours)
    return subprocess.CompletedProcess(tool.args, tool.returncode, output, errors)


def limit_bytes() -> int:
    """Return how much built templates may take in all.

    Raises:
        ManifestError: The variable says something else than a number.
    """
    return number_from(_LIMIT_VARIABLE, _DEFAULT_LIMIT_MB, 0, _MOST_MB, "megabytes") << 20


def _make_room(cache: DirectoryCache) -> None:
    """Remove the templates that were not used for longest, until the others are within the limit."""
    limit = limit_bytes()
    kept = cache.kept()
    used = sum(size for _, _, size in kept)
    for _, name, size in sorted(kept):
        if used <= limit:
            return
        used -= size * cache.evict(name)
