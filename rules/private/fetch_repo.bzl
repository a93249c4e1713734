"""What the repository rules share: the machine's python3, its platform, and running a fetch script with it."""

load("//third_party:platforms.bzl", "PLATFORMS")

# Every script is watched through one of these, so that a changed script fetches again.
FETCH_SCRIPTS = [
    Label("//third_party/fetch:archive_members.py"),
    Label("//third_party/fetch:fetch_binary.py"),
    Label("//third_party/fetch:fetch_maven.py"),
    Label("//third_party/fetch:fetch_npm.py"),
    Label("//third_party/fetch:fetch_site.py"),
    Label("//third_party/fetch:lock_file.py"),
    Label("//third_party/fetch:npm_package.py"),
    Label("//third_party/fetch:pip_wheels.py"),
    Label("//third_party/fetch:site_archive.py"),
]

_FETCH_TIMEOUT_S = 1800

def apparent_name(rctx):
    """Returns the repository's name as a user knows it, without the prefix that module extensions add."""
    return rctx.name.split("~")[-1].split("+")[-1]

def host_platform(rctx):
    """Finds out what this machine is; fails on one that nothing is pinned for.

    Args:
        rctx: the repository context.

    Returns:
        Its name in PLATFORMS.
    """
    system = {"linux": "linux", "mac os x": "macos"}.get(rctx.os.name.lower())
    cpu = {"aarch64": "arm64", "amd64": "x86_64", "arm64": "arm64", "x86_64": "x86_64"}.get(rctx.os.arch.lower())
    platform = "{}_{}".format(system, cpu)
    if platform not in PLATFORMS:
        fail("@{}: this machine is {} on {}; expected one of {}.".format(
            apparent_name(rctx),
            rctx.os.name,
            rctx.os.arch,
            ", ".join(PLATFORMS),
        ))
    return platform

def watched_path(rctx, label):
    """Returns the path of a file; when the file changes, the repository is fetched anew.

    Bazel 7 watches whatever `rctx.path` is given as a label; Bazel 8 and later must be told
    (--incompatible_no_implicit_watch_label).

    Args:
        rctx: the repository context.
        label: Label of the file.
    """
    path = rctx.path(label)
    if hasattr(rctx, "watch"):
        rctx.watch(path)
    return path

def fetched(rctx, reproducible):
    """Returns what an implementation function returns; Bazel 8.3 and later may keep such a repository for other workspaces.

    Args:
        rctx: the repository context.
        reproducible: whether the attributes alone decide on the content.
    """
    return rctx.repo_metadata(reproducible = reproducible) if hasattr(rctx, "repo_metadata") else None

def host_python(rctx, interpreter = None):
    """Finds the Python that runs pip.

    Args:
        rctx: the repository context.
        interpreter: label of an interpreter, or None for `python3` on PATH.

    Returns:
        A struct of `path` (the real executable, not a version manager's shim) and `version` ("3.12").
    """
    python = watched_path(rctx, interpreter) if interpreter else rctx.which("python3")
    if not python:
        fail("@{}: no python3 on PATH ({}). It is needed to run pip. Install Python 3.11 or later with pip.".format(
            apparent_name(rctx),
            rctx.os.environ.get("PATH", ""),
        ))
    done = rctx.execute([python, "-c", "import sys; print('%s\\n%d.%d' % ((sys.executable,) + sys.version_info[:2]))"])
    if done.return_code:
        fail("@{}: {} does not run (exit code {}):\n{}".format(apparent_name(rctx), python, done.return_code, done.stderr))
    executable, version = done.stdout.strip().split("\n")
    return struct(path = executable, version = version)

def run_fetch(rctx, python, script, request):
    """Runs a script of //third_party/fetch in the repository's directory.

    Args:
        rctx: the repository context.
        python: what `host_python` returned.
        script: file name of the script.
        request: a dict for the script, passed as JSON.
    """
    paths = {label.name: watched_path(rctx, label) for label in FETCH_SCRIPTS}
    rctx.file("request.json", json.encode(request), executable = False)

    rctx.report_progress("Fetching with {} {}".format(python.path, script))

    # -B: a read-only or shared copy of the ruleset must not gain .pyc files.
    done = rctx.execute([python.path, "-B", paths[script], "request.json"], timeout = _FETCH_TIMEOUT_S)
    if done.return_code:
        fail("@{}: {}".format(apparent_name(rctx), done.stderr.strip() or "exit code {}".format(done.return_code)))
    rctx.delete("request.json")
