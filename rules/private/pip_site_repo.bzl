"""Repository rule: third-party Python distributions from one hashed lock file, one archive and one py_library each."""

load("//third_party/python:versions.bzl", "PYTHON_VERSIONS", "REPLACEABLE")
load(":fetch_repo.bzl", "apparent_name", "fetched", "host_platform", "host_python", "run_fetch", "watched_path")
load(":index_download.bzl", "download_wheels")
load(":index_pages.bzl", "pins_of_lock")

_HEADER = """\
load("@rules_python//python:defs.bzl", "py_library")
load("{check}", "interpreter_check")

package(default_visibility = ["//visibility:public"])

interpreter_check(
    name = "{check_name}",
    python_version = "{version}",
)
"""

_CHECK = "for_this_interpreter"

# One archive per distribution, beside its extension modules: few links in a sandbox, few files for a remote worker.
_LIBRARY = """
# {version}
py_library(
    name = "{name}",
    data = {data},
    imports = ["{path}"],
    deps = {deps},
)
"""

_PACKED = 'glob(["site/{name}/**"], allow_empty = True) + ["site/{name}.zip"]'

# What does not work from an archive is one link locally. A remote worker gets nothing by the label of a directory.
_LOOSE = """select({{
        "{remote}": glob(["site/{name}/**"]),
        "//conditions:default": ["site/{name}"],
    }})"""

_REMEDIES = """\
What you can do:
  - give pip an index that it can reach (`pip config set global.index-url URL`, or PIP_INDEX_URL in the environment);
  - use a lock of your own: in MODULE.bazel, realservices.python(lock = "//:requirements.lock");
  - use your own targets: --@rules_realservices//third_party/python:pytest=@your_hub//pytest (see docs/dependencies.md)."""

def _python_version(rctx, python):
    version = rctx.attr.python_version or python.version
    if version not in PYTHON_VERSIONS:
        fail("@{}: {} is CPython {}; expected one of {}. {}.".format(
            apparent_name(rctx),
            python.path,
            version,
            ", ".join(PYTHON_VERSIONS),
            "Put such a python3 first on PATH, or say what the Python toolchain is: realservices.python(version = \"{}\")".format(
                PYTHON_VERSIONS[-1],
            ),
        ))
    return version

def _compiler(rctx, python, version):
    """Returns a Python that can write .pyc files for `version`, or "" (the tests then compile on each import)."""
    if python.version == version:
        return python.path
    return str(rctx.which("python" + version) or "")

def _dependency(name):
    # Through the flag where there is one, so that a replaced distribution is the only copy in a test.
    return str(Label("//third_party/python:" + name)) if name in REPLACEABLE else ":" + name

def _library(name, entry):
    return _LIBRARY.format(
        data = (_PACKED if entry["packed"] else _LOOSE).format(name = name, remote = Label("//rules:is_remote")),
        deps = [_dependency(dep) for dep in entry["deps"]] + ([":" + _CHECK] if entry["compiled"] else []),
        name = name,
        path = "site/%s.zip" % name if entry["packed"] else "site/" + name,
        version = entry["version"],
    )

def _pip_site_repo_impl(rctx):
    python = host_python(rctx, rctx.attr.interpreter)
    version = _python_version(rctx, python)
    compiler = _compiler(rctx, python, version)
    lock = watched_path(rctx, rctx.attr.lock)
    platform = rctx.attr.platform or host_platform(rctx)
    run_fetch(rctx, python, "fetch_site.py", {
        "compile_with": compiler,
        "lock": str(lock),
        "lock_label": str(rctx.attr.lock),
        "platform": platform,
        "python_version": version,
        "remedies": _REMEDIES,
        "wheels": download_wheels(rctx, pins_of_lock(rctx.read(lock)), platform = platform, python_version = version),
    })
    index = json.decode(rctx.read("index.json"))
    header = _HEADER.format(
        check = Label("//third_party/python:interpreter_check.bzl"),
        check_name = _CHECK,
        version = version,
    )
    libraries = [_library(name, index[name]) for name in sorted(index)]
    rctx.file("BUILD.bazel", "".join([header] + libraries), executable = False)

    # A different interpreter needs different wheels; without this an upgrade of the machine's Python would go unnoticed.
    if not rctx.attr.python_version and hasattr(rctx, "watch"):
        rctx.watch(python.path)

    # Without a compiler of that version the .pyc files are missing: another machine may have one.
    return fetched(rctx, reproducible = bool(rctx.attr.python_version and rctx.attr.platform and compiler))

pip_site_repo = repository_rule(
    implementation = _pip_site_repo_impl,
    doc = "Installs each distribution of a hashed lock file into an archive or a directory of its own.",
    attrs = {
        "index_url": attr.string(doc = "Package index that Bazel downloads from, in place of pip and its own."),
        "interpreter": attr.label(doc = "Interpreter that runs pip and compiles, instead of python3 on PATH.", allow_single_file = True),
        "lock": attr.label(
            doc = "The hashed requirements lock.",
            allow_single_file = True,
            default = Label("//third_party/python:requirements.lock"),
        ),
        "platform": attr.string(doc = "Platform to fetch for, as in //third_party:platforms.bzl. Empty: this machine's."),
        "python_version": attr.string(doc = "CPython version of the Python toolchain, as 3.12. Empty: that of the interpreter."),
    },
)
