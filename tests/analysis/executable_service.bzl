"""What `executable_service` makes of a right declaration: its part of a test's manifest, and its runfiles."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//rules:defs.bzl", "ServiceInfo", "exec_ready", "executable_service", "http_ready", "log_ready", "real_service_test")
load(":manifest.bzl", "manifest_test")

def _config_test_impl(ctx):
    env = analysistest.begin(ctx)
    service = analysistest.target_under_test(env)[ServiceInfo]
    expected = json.decode(ctx.attr.expected.replace("%workspace%", ctx.workspace_name))
    for key, value in expected.items():
        # By way of JSON, as the launcher sees it: tuples are lists there.
        asserts.equals(env, value, json.decode(json.encode(service.config[key])), key)
    asserts.equals(env, "executable", service.kind)
    asserts.equals(env, ctx.attr.needs, list(service.needs))
    paths = [file.short_path for file in service.runfiles.files.to_list()]
    for path in ctx.attr.runfiles:
        asserts.true(env, path in paths, "%s not in %s" % (path, paths))
    return analysistest.end(env)

config_test = analysistest.make(
    _config_test_impl,
    attrs = {
        "expected": attr.string(doc = "JSON object: keys of `config` and their values; %workspace% as in manifest_test."),
        "needs": attr.string_list(doc = "Names of the services that it needs directly."),
        "runfiles": attr.string_list(doc = "Files that must come along."),
    },
)

def _clients_test_impl(ctx):
    env = analysistest.begin(ctx)
    imports = " ".join(analysistest.target_under_test(env)[ServiceInfo].python_client.imports)
    for part in ctx.attr.parts:
        asserts.true(env, part in imports, "%s not in %s" % (part, imports))
    return analysistest.end(env)

clients_test = analysistest.make(
    _clients_test_impl,
    attrs = {"parts": attr.string_list(doc = "What some import path must hold.")},
)

def _instrumented_files_test_impl(ctx):
    env = analysistest.begin(ctx)
    files = analysistest.target_under_test(env)[InstrumentedFilesInfo].instrumented_files.to_list()
    for path in ctx.attr.paths:
        asserts.true(env, path in [file.short_path for file in files], "%s not in %s" % (path, files))
    return analysistest.end(env)

instrumented_files_test = analysistest.make(
    _instrumented_files_test_impl,
    attrs = {"paths": attr.string_list(doc = "Sources whose coverage counts.")},
    config_settings = {
        "//command_line_option:collect_code_coverage": True,
        "//command_line_option:instrumentation_filter": ".*",
    },
)

def _subjects():
    executable_service(
        name = "server",
        args = ["--listen=$(host):$(port http)", "--admin", "$(port admin)", "$$5"],
        binary = ":program",
        data = ["seed.csv"],
        env = {
            "CACHE": "$(url :cache)",
            "CACHE_PORT": "$(port //%s:cache redis)" % native.package_name(),
            "FILE": "$(rootpath seed.csv):$(rlocationpath seed.csv)",
            "FROM_PROGRAM": "2",
            "OWN": "$(url)/x",
        },
        ports = ["http", "admin"],
        ready = http_ready("/health", port = "admin", status = [200, 204]),
        services = [":cache"],
        tags = ["manual"],
        websocket_url = "ws://$(host):$(port admin)/ws",
    )
    executable_service(
        name = "worker",
        binary = ":program",
        clients = [":client"],
        grace_s = 1,
        ports = [],
        ready = log_ready("at work"),
        ready_timeout_s = 5,
        stop_signal = "SIGINT",
        tags = ["manual"],
    )
    executable_service(
        name = "checked",
        binary = ":program",
        ready = exec_ready(":other_program", ["--port", "$(port)", "$(port :server admin)"]),
        services = [":server"],
        tags = ["manual"],
        url = "grpc://$(host):$(port)",
    )

# buildifier: disable=unnamed-macro
def executable_service_tests():
    """Declares the tests and the services that they look at."""
    _subjects()
    package = native.package_name()
    own = lambda field: {"field": field, "service": ""}
    port = lambda name, service = "": {"field": "port", "port": name, "service": service}
    config_test(
        name = "server_config_test",
        size = "small",
        target_under_test = ":server",
        expected = json.encode({
            "args": [["--listen=", own("host"), ":", port("http")], ["--admin"], [port("admin")], ["$5"]],
            "env": {
                "CACHE": [{"field": "url", "service": "cache"}],
                "CACHE_PORT": [port("redis", "cache")],
                "FILE": [{"file": "%workspace%/" + package + "/seed.csv"}, ":", "%workspace%/" + package + "/seed.csv"],
                "FROM_PROGRAM": ["2"],
                "OWN": [own("url"), "/x"],
            },
            "grace_s": 5,
            "ports": ["http", "admin"],
            "program": "%workspace%/" + package + "/program",
            "ready": {"path": "/health", "port": "admin", "status": [[200, 200], [204, 204]], "type": "http"},
            "ready_timeout_s": 60,
            "stop_signal": "SIGTERM",
            "url": ["http://", own("host"), ":", own("port")],
            "websocket_url": ["ws://", own("host"), ":", port("admin"), "/ws"],
        }),
        needs = ["cache"],
        runfiles = [package + "/program", package + "/read_by_program.txt", package + "/seed.csv"],
    )
    config_test(
        name = "worker_config_test",
        size = "small",
        target_under_test = ":worker",
        expected = json.encode({
            # The environment that the binary's own rule gives it.
            "env": {"FROM_PROGRAM": ["1"]},
            "grace_s": 1,
            "ports": [],
            "ready": {"pattern": "at work", "type": "log"},
            "ready_timeout_s": 5,
            "stop_signal": "SIGINT",
            "url": [],
        }),
    )
    config_test(
        name = "checked_config_test",
        size = "small",
        target_under_test = ":checked",
        expected = json.encode({
            "ready": {
                "args": [["--port"], [own("port")], [port("admin", "server")]],
                "program": "%workspace%/" + package + "/other_program",
                "type": "exec",
            },
            "url": ["grpc://", own("host"), ":", own("port")],
        }),
        needs = ["server"],
        runfiles = [package + "/other_program"],
    )
    clients_test(name = "default_clients_test", size = "small", target_under_test = ":server", parts = ["httpx", "websockets"])
    clients_test(name = "chosen_clients_test", size = "small", target_under_test = ":worker", parts = ["analysis/client"])
    real_service_test(
        name = "reference_subject",
        services = [":server"],
        env = {"ADMIN": "$(port :server admin)", "WS": "$(websocket_url :server)"},
        tags = ["manual"],
        test = ":program",
    )
    manifest_test(
        name = "reference_to_executable_test",
        size = "small",
        target_under_test = "reference_subject",
        expected = json.encode({"env": {
            "ADMIN": [port("admin", "server")],
            "WS": [{"field": "websocket_url", "service": "server"}],
        }}),
    )
    instrumented_files_test(
        name = "instrumented_files_test",
        size = "small",
        target_under_test = ":checked",
        paths = [package + "/program.c"],
    )
