"""The module extension `realservices`: service binaries and third-party Python packages.

Only the tags of the root module count. Which PostgreSQL a build tests against is for its owner to say, not for a dependency.

```python
realservices = use_extension("@rules_realservices//rules:extensions.bzl", "realservices")
realservices.python(version = "3.12")
realservices.postgres(path = "/usr/lib/postgresql/17")
```
"""

load(":repositories.bzl", "declare_repositories")

_REPLACEMENT_ATTRS = {
    "archive": attr.label(doc = "File of yours that holds the binaries: `.tar.*`, `.zip`, `.jar` and the like."),
    "path": attr.string(doc = "Absolute path of an installation on the machine."),
    "platforms": attr.string_list(doc = "Platforms to replace it on: any of `linux_arm64`, `linux_x86_64`, `macos_arm64`, `macos_x86_64`. Empty: all."),
    "sha256": attr.string(doc = "SHA-256 of that archive, in hex. Required with `urls`."),
    "strip_prefix": attr.string(doc = "Folder of the archive to take; its name is dropped."),
    "urls": attr.string_list(doc = "Addresses of one archive with the binaries, tried in this order."),
}

_postgres = tag_class(
    doc = "Replaces the pinned PostgreSQL by exactly one of `archive`, `path` and `urls`. It must have bin/postgres and bin/initdb.",
    attrs = _REPLACEMENT_ATTRS,
)

_llm_runtime = tag_class(
    doc = "Replaces the runtime of language models by exactly one of `archive`, `path` and `urls`: a directory of the Python package xllamacpp.",
    attrs = _REPLACEMENT_ATTRS,
)

_DIRECTORIES = {
    "llm_runtime": _llm_runtime,
    "postgres": _postgres,
}

def _server(what, program):
    return tag_class(
        doc = "Replaces the pinned {} by exactly one of `archive`, `path` (the file itself) and `urls`.".format(what),
        attrs = _REPLACEMENT_ATTRS | {
            "program": attr.string(doc = "Path of the server within the archive.", default = program),
        },
    )

# Services that are one file, with its usual place in an archive.
_SERVERS = {
    "clickhouse": _server("ClickHouse", "clickhouse"),
    "kafka": _server("broker (Tansu)", "tansu"),
    "llm_model": _server("language model's weights", "model.gguf"),
    "mariadb": _server("MariaDB", "bin/mariadbd"),
    "nats": _server("NATS server", "nats-server"),
    "redis": _server("Redis", "bin/redis-server"),
    "s3": _server("S3 server (rclone)", "rclone"),
}

_python = tag_class(
    doc = "Names the Python that the third-party packages are for, where rules_python does not. At most once.",
    attrs = {
        "index_url": attr.string(
            doc = "Package index with `simple` pages (`https://` or `file://`), from which Bazel's downloader fetches all wheels. Empty: pip fetches them, from its own index.",
        ),
        "interpreter": attr.label(doc = "Interpreter that runs what fetches packages and binaries. Default: python3 on PATH."),
        "lock": attr.label(doc = "A hashed requirements lock of your own, with at least the distributions of ours."),
        "platform": attr.string(doc = "Platform on which the tests run, such as `linux_x86_64`. Empty: this machine's."),
        "version": attr.string(doc = "CPython version, such as `3.12`. Empty: that of rules_python's default toolchain, else of the interpreter."),
    },
)

def _as_dict(tag, names):
    return {name: getattr(tag, name) for name in names}

def _realservices_impl(module_ctx):
    replacements, python = {}, []
    for module in module_ctx.modules:
        if not module.is_root:
            continue
        replacements = {
            name: [_as_dict(tag, list(_REPLACEMENT_ATTRS) + ["program"]) for tag in getattr(module.tags, name)]
            for name in _SERVERS
        }
        for name in _DIRECTORIES:
            replacements[name] = [_as_dict(tag, _REPLACEMENT_ATTRS) for tag in getattr(module.tags, name)]
        python = [_as_dict(tag, ["index_url", "interpreter", "lock", "platform", "version"]) for tag in module.tags.python]
    if len(python) > 1:
        fail("realservices.python: expected at most once; found {} times in MODULE.bazel.".format(len(python)))
    declare_repositories(replacements = replacements, python = python[0] if python else {})
    return module_ctx.extension_metadata(reproducible = True)

realservices = module_extension(
    implementation = _realservices_impl,
    doc = "Declares the repositories of service binaries and of third-party Python packages.",
    tag_classes = _SERVERS | _DIRECTORIES | {
        "python": _python,
    },
)
