"""Fetch the third-party Python distributions, one directory each. Run by `rules/private/pip_site_repo.bzl`.

Usage: `python3 fetch_site.py REQUEST.json`, in the directory of the repository. Writes for every distribution of the
lock `site/<name>.zip` with its extension modules in `site/<name>/`, or all of it in `site/<name>/` where it does not
work from an archive (site_archive.py). `index.json` has `{name: {"version": …, "deps": [name, …], "compiled": bool,
"packed": bool}}`, from which the rule writes the BUILD file. `compiled` means that the wheel is for one CPython version
only.
"""

from __future__ import annotations

import email.parser
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

from archive_members import Members, told_if_damaged
from lock_file import marker_environment, normalize, read_lock
from pip_wheels import FetchError, download, require_pip
from site_archive import pack

_DOWNLOADS = "downloads"
_SITE = "site"

# Sources of compiled modules, their own test suites, what only a browser runs: never imported, and half of the files.
_UNUSED = re.compile(r"(^|/)(tests?)/|\.(c|h|pyx|pxd|pxi|cpp)$|(^|/)emscripten_[^/]*\.js$")
_DATA_SCHEME = re.compile(r"^[^/]+\.data/(purelib|platlib)/")
_OTHER_SCHEME = re.compile(r"^[^/]+\.data/")


def installed_path(member: str) -> str | None:
    """Return where a wheel's member goes below the site directory, or None if it is not kept."""
    path = _DATA_SCHEME.sub("", member)
    if _OTHER_SCHEME.match(path) or _UNUSED.search(path) or path.startswith("/") or ".." in path.split("/"):
        return None
    return path


def is_for_one_version(wheel: str) -> bool:
    """Tell by its tags whether a wheel works on one CPython version only: `name-1.0-cp312-cp312-platform.whl`."""
    return bool(re.match(r"cp3\d+t?$", wheel[: -len(".whl")].split("-")[-2]))


def unpack(wheel: str, directory: str) -> str:
    """Extract a wheel as an installer would, without scripts. Returns the text of its METADATA.

    Raises:
        FetchError: the wheel is damaged, or a member does not stay in the directory.
    """
    metadata = ""
    members = Members(wheel)
    with told_if_damaged(wheel), zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            path = installed_path(member.filename)
            if member.is_dir() or path is None:
                continue
            members.add(path)
            content = archive.read(member)
            target = os.path.join(directory, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as out:
                out.write(content)
            if re.match(r"[^/]+\.dist-info/METADATA$", path):
                metadata = content.decode("utf-8")
    return metadata


def dependencies(metadata: str, environment: dict[str, str], locked: set[str]) -> list[str]:
    """Return the target names that a distribution's METADATA requires on the target interpreter, extras left out."""
    from pip._vendor.packaging.requirements import Requirement  # noqa: PLC0415 (pip may be missing: require_pip)

    names = set()
    for line in email.parser.Parser().parsestr(metadata, headersonly=True).get_all("Requires-Dist") or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            names.add(normalize(requirement.name))
    return sorted(names & locked)


def compile_site(interpreter: str) -> None:
    """Write .pyc files that stay valid whatever the modification times are.

    Bazel's sandboxes and remote executors do not keep modification times, so ordinary .pyc files would be stale there
    and each test would compile pytest again. `-s` keeps this machine's path out of them: it would make the digests
    differ per machine.
    """
    options = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", os.path.abspath(_SITE)]
    # A fixed hash seed: the order of a frozenset constant is part of the file.
    environment = dict(os.environ, PYTHONHASHSEED="0")
    subprocess.run([interpreter, "-m", "compileall", *options, os.path.abspath(_SITE)], env=environment, check=False)


def main(request_file: str) -> None:
    """Do what the request asks; see the module docstring."""
    with open(request_file, encoding="utf-8") as source:
        request = json.load(source)
    require_pip()
    target = {"python_version": request["python_version"], "platform": request["platform"]}
    with open(request["lock"], encoding="utf-8") as source:
        requirements = read_lock(source.read(), source=request["lock_label"], **target)
    wheels = download(
        requirements,
        directory=os.path.abspath(_DOWNLOADS),
        remedies=request["remedies"],
        wheels=request["wheels"],
        **target,
    )
    locked = {normalize(r.name): r.version for r in requirements}
    index = {}
    for wheel in wheels:
        name = normalize(os.path.basename(wheel).split("-")[0])
        metadata = unpack(wheel, os.path.join(_SITE, name))
        deps = dependencies(metadata, marker_environment(**target), set(locked))
        index[name] = {"version": locked[name], "deps": deps, "compiled": is_for_one_version(wheel)}
    shutil.rmtree(_DOWNLOADS)
    shutil.rmtree(request["wheels"], ignore_errors=True)
    if request["compile_with"]:
        compile_site(request["compile_with"])
    for name, entry in index.items():
        entry["packed"] = pack(os.path.join(_SITE, name), os.path.join(_SITE, name + ".zip"))
    with open("index.json", "w", encoding="utf-8") as out:
        json.dump(index, out, indent=1, sort_keys=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except FetchError as error:
        sys.exit(str(error))
