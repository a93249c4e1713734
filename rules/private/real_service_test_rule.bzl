"""The rule behind `real_service_test`: checks the declaration and writes manifest and stub.

The macro in real_service_test.bzl is what users call.
"""

load("@rules_python//python:py_info.bzl", "PyInfo")
load(":compiled_python.bzl", "compiled_python")
load(":env_references.bzl", "check_names", "encode_env")
load(":executable_runner.bzl", "executable_runner")
load(":hidden_files.bzl", "refuse_hidden")
load(":launch_support.bzl", "LaunchInfo", "PytestInfo")
load(":manifest.bzl", "manifest")
load(":misuse.bzl", "misuse")
load(":on_path.bzl", "checked_on_path")
load(":pytest_runner.bzl", "pytest_runner")
load(":service.bzl", "SERVICE_ATTRS", "service_infos", "start_order")
load(":test_stub.bzl", "STUB_ATTRS", "test_stub")

_EITHER = "either 'srcs' (pytest runs them) or 'test' (any executable)"
_ISOLATION = ["transaction", "database"]

def _runner(ctx, services):
    if ctx.attr.test and ctx.attr.srcs:
        misuse(ctx.label, "test", "set together with 'srcs'", _EITHER)
    if ctx.attr.test:
        return executable_runner(ctx, services)
    if ctx.attr.srcs:
        if ctx.attr.test_shards:
            misuse(ctx.label, "test_shards", "True without 'test'", "only with 'test'; pytest always shards")
        if ctx.attr.checkout:
            misuse(ctx.label, "checkout", "True without 'test'", "only with 'test'; 'srcs' have fixtures")
        if ctx.attr.test_runner:
            misuse(ctx.label, "test_runner", "set without 'test'", "only with 'test'; 'srcs' are run by pytest")
        return pytest_runner(ctx, services)
    return misuse(ctx.label, "srcs", "neither 'srcs' nor 'test' is set", _EITHER)

def _run_environment(ctx):
    # A wrapped test keeps the environment that its own rule gives it.
    own = ctx.attr.test[RunEnvironmentInfo] if ctx.attr.test and RunEnvironmentInfo in ctx.attr.test else None
    return RunEnvironmentInfo(
        environment = own.environment if own else {},
        inherited_environment = (own.inherited_environment if own else []) + ctx.attr.env_inherit,
    )

def _real_service_test_impl(ctx):
    services = start_order(ctx.label, service_infos(ctx))
    check_names(ctx, "env_inherit", ctx.attr.env_inherit)
    refuse_hidden(ctx.label, ctx.files.data, "_test")
    if ctx.attr.isolation not in _ISOLATION:
        misuse(ctx.label, "isolation", repr(ctx.attr.isolation), ", ".join([repr(value) for value in _ISOLATION]))
    test, runfiles = _runner(ctx, services)
    if ctx.attr.on_path:
        test |= {"on_path": checked_on_path(ctx, services)}
    if ctx.configuration.coverage_enabled:
        launch = ctx.attr._launch[LaunchInfo]
        test |= {"coverage": launch.coverage_imports}
        runfiles = runfiles.merge(launch.coverage_runfiles)

    manifest_file = ctx.actions.declare_file(ctx.label.name + ".realservices.json")
    ctx.actions.write(manifest_file, manifest(
        label = ctx.label,
        services = services,
        test = test,
        env = encode_env(ctx, services),
        isolation = ctx.attr.isolation,
    ))
    stub = test_stub(ctx, manifest_file)
    return [
        DefaultInfo(
            executable = stub.executable,
            runfiles = ctx.runfiles(files = ctx.files.data).merge_all(
                [stub.runfiles, runfiles] +
                [service.runfiles for service in services] +
                [target[DefaultInfo].default_runfiles for target in ctx.attr.data],
            ),
        ),
        _run_environment(ctx),
        # Otherwise Ctrl-C kills the launcher outright, and it cannot stop its services first.
        testing.ExecutionInfo({"supports-graceful-termination": ""}),
        # Tests themselves are measured with --instrument_test_targets only: a library would always be.
        coverage_common.instrumented_files_info(
            ctx,
            dependency_attributes = ["measured", "services", "test"],
            extensions = ["py"],
            source_attributes = ["srcs"],
        ),
        OutputGroupInfo(realservices_manifest = depset([manifest_file])),
    ]

real_service_test = rule(
    implementation = _real_service_test_impl,
    doc = "The rule behind the macro `real_service_test`.",
    test = True,
    attrs = STUB_ATTRS | {
        "checkout": attr.bool(
            doc = "Whether each test function of the executable in `test` checks a database out of the launcher. See docs/other_languages.md.",
        ),
        "data": attr.label_list(
            doc = "Files that the test reads at run time.",
            allow_files = True,
        ),
        "deps": attr.label_list(
            doc = "Set by the macro, to refuse it beside `test`: dependencies belong to the target that `test` names.",
        ),
        "durations": attr.label(
            doc = "JSON file with recorded durations of the tests. Shards then take equally long. See docs/ci.md.",
            allow_single_file = [".json"],
        ),
        "env": attr.string_dict(
            doc = "Environment of the test program. `$(url :db)` and the fields host, port, user, password, database and " +
                  "socket stand for what a service of this test turns out to have; `$(rootpath :file)` for files in `data`.",
        ),
        "env_inherit": attr.string_list(
            doc = "Names of variables to take over from the environment of Bazel.",
        ),
        "imports": attr.string_list(
            doc = "Set by the macro, to refuse it beside `test`: import paths belong to the target that `test` names.",
        ),
        "isolation": attr.string(
            doc = "What `isolated_database` is in each test function: `transaction`, one that is rolled back, or `database`, one of its own with real commits.",
            default = "transaction",
        ),
        "measured": attr.label_list(
            doc = "Set by the macro: what `pytest_library` depends on, for coverage.",
            providers = [PyInfo],
        ),
        "on_path": attr.string_list(
            doc = "Clients of the services to find on PATH: any of `psql`, `pg_dump`, `pg_restore`, `pg_isready`, `pgbench`, `redis-cli`, `clickhouse-client`.",
        ),
        "pytest": attr.label(
            doc = "Set by the macro: what runs `srcs`.",
            providers = [PytestInfo],
        ),
        "pytest_library": attr.label(
            doc = "Set by the macro: the library of `srcs` and `deps`.",
            aspects = [compiled_python],
            providers = [PyInfo],
        ),
        "services": SERVICE_ATTRS["services"],
        "srcs": attr.label_list(
            doc = "Python files. pytest runs those named test_*.py or *_test.py.",
            allow_files = True,
        ),
        "test": attr.label(
            doc = "Any executable to run as the test.",
            allow_files = True,
            cfg = "target",
        ),
        "test_runner": attr.string(
            doc = "The test runner in `test`: `go`, `jest`, `junit` (ConsoleLauncher), `mocha`, `node`, `playwright`, `rust`, " +
                  "`vitest` or `bats`. It then gets `--test_filter` and shards as options of its own. Leave it out for a " +
                  "runner that reads Bazel's variables.",
        ),
        "test_shards": attr.bool(
            doc = "Whether the executable in `test` implements Bazel's test sharding protocol.",
        ),
        "_lcov_merger": attr.label(
            default = configuration_field(fragment = "coverage", name = "output_generator"),
            executable = True,
            cfg = "exec",
        ),
    },
)
