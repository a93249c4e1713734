"""Repository rule: a service's programs from one archive of Maven, fetched by its coordinates and hash."""

load(":binary_build_repo.bzl", "write_binary_build")
load(":fetch_repo.bzl", "fetched", "host_python", "run_fetch")

def _maven_binary_repo_impl(rctx):
    mvn = rctx.which("mvn")
    run_fetch(rctx, host_python(rctx, rctx.attr.interpreter), "fetch_maven.py", {
        "keep": rctx.attr.keep,
        "mvn": str(mvn) if mvn else "",
        "package": rctx.attr.package,
        "remedies": _REMEDIES.format(kind = rctx.attr.kind, target = rctx.attr.target),
        "root": rctx.attr.root,
        "sha256": rctx.attr.sha256,
        "strip": rctx.attr.strip,
        "version": rctx.attr.version,
    })
    write_binary_build(rctx, beside = rctx.attr.beside)
    return fetched(rctx, reproducible = True)  # the hash decides

_REMEDIES = """\
What you can do:
  - install Maven, or give it a repository that it can reach (a mirror in its settings.xml);
  - use an archive of your own: in MODULE.bazel, realservices.{kind}(urls = [...], sha256 = "...") or (archive = "//:file");
  - use an installed one: realservices.{kind}(path = "/...");
  - use a target of yours: --@rules_realservices//third_party/{kind}:{target}=//your:target.
In a WORKSPACE the same are arguments of realservices_repositories (see docs/dependencies.md)."""

maven_binary_repo = repository_rule(
    implementation = _maven_binary_repo_impl,
    doc = "Fetches one archive with the machine's Maven, and keeps a program of it with what lies beside.",
    attrs = {
        "beside": attr.string_list(doc = "Patterns of what the program needs beside it."),
        "interpreter": attr.label(doc = "Interpreter that unpacks, instead of python3 on PATH.", allow_single_file = True),
        "keep": attr.string_list(doc = "Patterns of files to keep, relative to root; `*` also matches `/`.", mandatory = True),
        "kind": attr.string(doc = "The service's kind, for messages.", mandatory = True),
        "output": attr.string(doc = "Path of the program that the repository shows.", mandatory = True),
        "package": attr.string(doc = "Group and artifact: group:artifact.", mandatory = True),
        "programs": attr.string_list(doc = "Empty: `output` is the program."),
        "root": attr.string(doc = "Folder inside the archive that holds what is kept."),
        "sha256": attr.string(doc = "SHA-256 of the archive, in hex.", mandatory = True),
        "strip": attr.string_list(doc = "Programs whose sections for debuggers are cut off."),
        "target": attr.string(doc = "Name of the target that shows `output`.", mandatory = True),
        "version": attr.string(doc = "Version of the artifact.", mandatory = True),
    },
)
