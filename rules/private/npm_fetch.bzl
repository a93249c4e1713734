"""Fetching from one npm package, with the machine's npm or else with one that pip fetches."""

load("//third_party/node:versions.bzl", "NODE")
load(":fetch_repo.bzl", "host_platform", "host_python", "run_fetch")

def run_npm_fetch(rctx, *, package, version, integrity, keep, remedies, drop = [], links = "", relocate = {}):
    """Keeps some files of a package in the repository's directory.

    Args:
        rctx: context of a repository rule with the attribute `interpreter`.
        package: name of the package, with its scope.
        version: its version.
        integrity: SHA-512 of its archive, as npm writes it.
        keep: patterns of paths within the package; `*` also matches `/`.
        remedies: what the user can do where it cannot be fetched.
        drop: patterns to leave out among those.
        links: path of the package's list of symbolic links, which npm does not pack. Empty: it has none.
        relocate: dict of beginnings of paths to what takes their place; the first that fits counts.
    """
    machine = host_platform(rctx)
    npm = rctx.which("npm")
    run_fetch(rctx, host_python(rctx, rctx.attr.interpreter), "fetch_npm.py", {
        "drop": drop,
        "integrity": integrity,
        "keep": keep,
        "links": links,
        "machine": machine,
        "node_package": NODE.package,
        "node_sha256": NODE.sha256[machine],
        "node_version": NODE.version,
        "npm": str(npm) if npm else "",
        "package": package,
        "relocate": relocate.items(),
        "remedies": remedies,
        "version": version,
    })
