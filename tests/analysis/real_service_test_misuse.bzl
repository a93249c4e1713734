"""Wrong uses of `real_service_test`."""

load("//rules:defs.bzl", "real_service_test")
load("//rules/private:real_service_test_rule.bzl", real_service_test_rule = "real_service_test")  # buildifier: disable=bzl-visibility
load(":fakes.bzl", "fake_service")
load(":misuse.bzl", "misuse")

_EITHER = "either 'srcs' (pytest runs them) or 'test'"

def _what_to_run():
    for name, attribute, found, allowed, attrs in [
        ("both_test", "test", "set together with 'srcs'", _EITHER, {"srcs": ["a_test.py"], "test": ":program"}),
        ("neither_test", "srcs", "neither 'srcs' nor 'test' is set", _EITHER, {}),
        ("empty_srcs_test", "srcs", "neither 'srcs' nor 'test' is set", _EITHER, {"srcs": []}),
        ("no_test_file_test", "srcs", 'no test file among "conftest.py", "login.py"', "at least one file named", {"srcs": ["conftest.py", "login.py"]}),
        ("not_executable_test", "test", ":client is not executable", "a test, a binary", {"test": ":client"}),
        ("deps_of_executable_test", "deps", "set together with 'test'", "'deps' only with 'srcs'", {"deps": [":client"], "test": ":program"}),
        ("imports_of_executable_test", "imports", "set together with 'test'", "'imports' only with 'srcs'", {"imports": ["."], "test": ":program"}),
        ("durations_of_executable_test", "durations", "set together with 'test'", "'durations' only with 'srcs'", {"durations": "d.json", "test": ":program"}),
        ("shards_of_executable_test", "shard_count", "2, but nothing says that", "1; or 'test_shards = True'", {"shard_count": 2, "test": ":program"}),
        ("checkout_of_pytest_test", "checkout", "True without 'test'", "only with 'test'", {"checkout": True, "srcs": ["a_test.py"]}),
        ("on_path_test", "on_path", '"psql", which comes with none of the test\'s services', "redis-cli", {"on_path": ["psql"], "services": [":cache"], "test": ":program"}),
        ("on_path_without_service_test", "on_path", '"psql", which comes with none of the test\'s services', "programs of services that the test has", {"on_path": ["psql"], "test": ":program"}),
        ("test_runner_test", "test_runner", repr("karma"), '"bats", "go", "jest", "junit", "mocha", "node", "playwright", "rust", "vitest"; none for a program', {"test": ":program", "test_runner": "karma"}),
        ("test_runner_of_pytest_test", "test_runner", "set without 'test'", "only with 'test'", {"srcs": ["a_test.py"], "test_runner": "go"}),
        ("test_runner_and_test_shards_test", "test_runner", "\"go\" together with 'test_shards'", "one of them", {"test": ":program", "test_runner": "go", "test_shards": True}),
        ("shards_of_mocha_test", "shard_count", '2, but test_runner "mocha" cannot run a part', "1; or one of the runners go, jest", {"shard_count": 2, "test": ":program", "test_runner": "mocha"}),
        ("test_shards_of_pytest_test", "test_shards", "True without 'test'", "only with 'test'", {"srcs": ["a_test.py"], "test_shards": True}),
        ("hides_srcs_test", "name", '"hides_srcs_subject", and the executable of that name takes the place of the directory with "%s/hides_srcs_subject/a_test.py"' % native.package_name(), "a name that no directory of its package has, such as \"hides_srcs_subject_test\"", {"srcs": ["hides_srcs_subject/a_test.py"]}),
        ("hides_data_test", "name", 'the directory with "%s/hides_data_subject/a.txt"' % native.package_name(), "a name that no directory", {"data": ["hides_data_subject/a.txt"], "test": ":program"}),
        ("isolation_test", "isolation", repr("schema"), '"transaction", "database"', {"isolation": "schema", "test": ":program"}),
    ]:
        misuse(name, real_service_test, attribute, found, allowed, **attrs)

    # By way of the macro, py_library is the first to refuse such a file.
    misuse("srcs_suffix_test", real_service_test_rule, "srcs", 'BUILD.bazel"', "Python files (.py)", srcs = ["BUILD.bazel"])

def _services():
    for name, services, found, allowed in [
        ("not_a_service_test", [":client"], ":client is not a service", "targets of rules that return ServiceInfo"),
        ("one_name_test", [":cache", ":other_cache"], ":cache and //", "one service of each name"),
        ("one_name_among_needed_test", [":needs_cache", ":needs_other_cache"], 'two services are named "cache": //', "one service of each name"),
    ]:
        misuse(name, real_service_test, "services", found, allowed, services = services, test = ":program")

def _environment():
    for name, env, found, allowed in [
        ("env_label_test", {"A": "$(url :db)"}, "$(url //%s:db) names no service of this test" % native.package_name(), "//%s:cache" % native.package_name()),
        ("env_without_label_test", {"A": "$(url)"}, "$(url) names no service of this test", "//%s:cache" % native.package_name()),
        ("env_field_test", {"A": "$(user :cache)"}, 'a service of kind "redis" has no user', "database, host, password, port, socket, url"),
        ("env_word_test", {"A": "$(uri :cache)"}, "$(uri :cache)", "$(FIELD SERVICE) with one of database,"),
        ("env_dollar_test", {"A": "costs $5"}, 'A = "costs $5": a "$" that starts no $(…)', '$(…), or "$$"'),
        ("env_reserved_test", {"TEST_TMPDIR": "/tmp"}, repr("TEST_TMPDIR"), "a name other than BAZEL_*"),
        ("env_reserved_prefix_test", {"REALSERVICES_DB_URL": ""}, repr("REALSERVICES_DB_URL"), "a name other than BAZEL_*"),
        ("env_name_test", {"A=B": ""}, repr("A=B"), "names without '='"),
    ]:
        misuse(name, real_service_test, "env", found, allowed, env = env, services = [":cache"], test = ":program")
    misuse("env_without_services_test", real_service_test, "env", "db) names no service", "nothing, as 'services' is empty", env = {"A": "$(url :db)"}, test = ":program")
    misuse("env_inherit_test", real_service_test, "env_inherit", repr("TEST_SRCDIR"), "a name other than", env_inherit = ["TEST_SRCDIR"], test = ":program")

# buildifier: disable=unnamed-macro
def real_service_test_misuse_tests():
    """Declares the tests."""
    _what_to_run()
    _services()
    _environment()
