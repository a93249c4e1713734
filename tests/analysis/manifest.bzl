"""What the rules make of a right declaration: the manifest, and what the test takes along."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//rules:defs.bzl", "real_service_test")

def _manifest(env):
    for action in analysistest.target_actions(env):
        for output in action.outputs.to_list():
            if output.basename.endswith(".realservices.json"):
                return json.decode(action.content)
    return None

def _runfiles(env):
    info = analysistest.target_under_test(env)[DefaultInfo]
    return [file.short_path for file in info.default_runfiles.files.to_list()]

def _has(paths, part):
    return any([part in path for path in paths])

def _manifest_test_impl(ctx):
    env = analysistest.begin(ctx)
    manifest = _manifest(env)
    for key, expected in json.decode(ctx.attr.expected.replace("%workspace%", ctx.workspace_name)).items():
        asserts.equals(env, expected, manifest[key])
    return analysistest.end(env)

manifest_test = analysistest.make(
    _manifest_test_impl,
    attrs = {"expected": attr.string(
        doc = "JSON object: the keys to compare and what they must be; %workspace% stands for the runfiles folder of the repository.",
        mandatory = True,
    )},
)

def _start_order_test_impl(ctx):
    env = analysistest.begin(ctx)
    services = _manifest(env)["services"]
    asserts.equals(env, ctx.attr.names, [service["name"] for service in services])
    asserts.equals(env, ctx.attr.needs, [",".join(service["needs"]) for service in services])
    return analysistest.end(env)

start_order_test = analysistest.make(
    _start_order_test_impl,
    attrs = {
        "names": attr.string_list(doc = "The services in the order in which they may start."),
        "needs": attr.string_list(doc = "What each one needs directly, joined by commas."),
    },
)

def _pytest_runfiles_test_impl(ctx):
    env = analysistest.begin(ctx)
    test, paths = _manifest(env)["test"], _runfiles(env)
    asserts.equals(env, "pytest", test["runner"])
    for file in ["tests/analysis/a_test.py", "tests/analysis/conftest.py", "realservices/realservices.zip"]:
        asserts.true(env, _has(paths, file), file)
    asserts.equals(env, ["tests/analysis/a_test.py"], [path.partition("/")[2] for path in test["files"]])
    imports = test["import_paths"]
    asserts.equals(env, ctx.workspace_name, imports[0], "the root of the repository comes first")
    pytest = [path for path in imports if "pytest" in path][0]
    asserts.true(env, imports.index(ctx.workspace_name + "/tests/analysis/own") < imports.index(pytest), "a library of the user's wins")
    asserts.true(env, ctx.workspace_name + "/tests/analysis/client" in imports, "the client of a declared service")
    asserts.true(env, _has(paths, "tests/analysis/client/client.py"))
    asserts.false(env, _has(imports, "asyncpg"), "no PostgreSQL client without PostgreSQL")
    return analysistest.end(env)

pytest_runfiles_test = analysistest.make(_pytest_runfiles_test_impl)

def _program_runfiles_test_impl(ctx):
    env = analysistest.begin(ctx)
    paths = _runfiles(env)
    for file in ["tests/analysis/program", "tests/analysis/read_by_program.txt", "tests/analysis/db.tar", "tests/analysis/db.json"]:
        asserts.true(env, file in paths, file)
    asserts.false(env, _has(paths, "pytest"), "no pytest for a program of another kind")
    asserts.false(env, _has(paths, "asyncpg"), "no Python client for a program of another kind")
    environment = analysistest.target_under_test(env)[RunEnvironmentInfo]
    asserts.equals(env, {"FROM_PROGRAM": "1"}, environment.environment)
    asserts.equals(env, ["INHERITED_BY_PROGRAM", "HOME_DIR"], environment.inherited_environment)
    requirements = analysistest.target_under_test(env)[testing.ExecutionInfo].requirements
    asserts.true(env, "supports-graceful-termination" in requirements)
    return analysistest.end(env)

program_runfiles_test = analysistest.make(_program_runfiles_test_impl)

def _remote_test_impl(ctx):
    env = analysistest.begin(ctx)
    config = _manifest(env)["services"][0]["config"]
    paths = _runfiles(env)
    asserts.true(env, config["distribution"].endswith("pginstall"), config["distribution"])
    for key in ["distribution_archive", "distribution_info"]:
        asserts.true(env, _has(paths, config[key].partition("/")[2]), key)
    asserts.false(env, _has(paths, "/pginstall"), "no directory, and not what is in it")
    loose = [path for path in paths if "/site/" in path and not path.rpartition("/")[2].count(".")]
    asserts.equals(env, [], loose, "no directories of Python distributions")
    asserts.true(env, len(paths) <= _MOST_REMOTE_FILES, "%d files" % len(paths))
    return analysistest.end(env)

# What a remote worker gets of a pytest target with PostgreSQL and Redis.
_MOST_REMOTE_FILES = 60

remote_test = analysistest.make(
    _remote_test_impl,
    config_settings = {str(Label("//rules:remote")): True},
)

# buildifier: disable=unnamed-macro
def manifest_tests():
    """Declares the tests; the services they speak of stand in BUILD.bazel."""
    program = native.package_name() + "/program"
    real_service_test(
        name = "program_subject",
        test = ":program",
        services = [":db"],
        env = {"DB": "$(url :db)?x=$$1", "FILE": "$(rootpath seed.csv)", "PORTS": "$(port db),$(port //%s:db)" % native.package_name(), "JDBC": "$(url :db jdbc)", "URL": "$(url :db psycopg)"},
        data = ["seed.csv"],
        env_inherit = ["HOME_DIR"],
        shard_count = 2,
        test_shards = True,
        tags = ["manual"],
    )
    real_service_test(
        name = "runner_subject",
        test = ":program",
        test_runner = "go",
        shard_count = 2,
        tags = ["manual"],
    )
    manifest_test(
        name = "runner_manifest_test",
        size = "small",
        target_under_test = "runner_subject",
        expected = json.encode({
            "env": {},
            "isolation": "transaction",
            "label": "//%s:runner_subject" % native.package_name(),
            "services": [],
            "test": {"program": "%workspace%/" + program, "runner": "executable", "shards": False, "test_runner": "go"},
            "version": 1,
        }),
    )
    manifest_test(
        name = "program_manifest_test",
        size = "small",
        target_under_test = "program_subject",
        expected = json.encode({
            "env": {
                "DB": [{"field": "url", "service": "db"}, "?x=$1"],
                "FILE": [native.package_name() + "/seed.csv"],
                "PORTS": [{"field": "port", "service": "db"}, ",", {"field": "port", "service": "db"}],
                "JDBC": [{"driver": "jdbc", "field": "url", "service": "db"}],
                "URL": [{"driver": "psycopg", "field": "url", "service": "db"}],
            },
            "isolation": "transaction",
            "label": "//%s:program_subject" % native.package_name(),
            "test": {"program": "%workspace%/" + program, "runner": "executable", "shards": True},
            "version": 1,
        }),
    )
    program_runfiles_test(name = "program_runfiles_test", size = "small", target_under_test = "program_subject")

    real_service_test(
        name = "pytest_subject",
        srcs = ["a_test.py", "conftest.py"],
        deps = [":own"],
        services = [":cache"],
        isolation = "database",
        tags = ["manual"],
    )
    pytest_runfiles_test(name = "pytest_runfiles_test", size = "small", target_under_test = "pytest_subject")
    manifest_test(
        name = "pytest_isolation_test",
        size = "small",
        target_under_test = "pytest_subject",
        expected = json.encode({"isolation": "database"}),
    )

    real_service_test(
        name = "graph_subject",
        test = ":program",
        # Both need the cache, which the test names last.
        services = [":top", ":needs_cache", ":cache"],
        tags = ["manual"],
    )
    start_order_test(
        name = "start_order_test",
        size = "small",
        target_under_test = "graph_subject",
        names = ["cache", "needs_cache", "db", "top"],
        needs = ["", "cache", "", "needs_cache,db"],
    )
    real_service_test(
        name = "remote_subject",
        srcs = ["a_test.py"],
        services = [":db", "//services:redis"],
        tags = ["manual"],
    )
    remote_test(name = "remote_test", size = "small", target_under_test = "remote_subject")
