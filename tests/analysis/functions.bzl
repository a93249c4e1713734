"""Unit tests of the functions that need no target: names, labels, and the expressions in `env`."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//rules/private:env.bzl", "absolute_references", "is_reserved", "parse_value")  # buildifier: disable=bzl-visibility
load("//rules/private:labels.bzl", "label_text", "runfiles_path")  # buildifier: disable=bzl-visibility
load("//rules/private:layers.bzl", "layers")  # buildifier: disable=bzl-visibility
load("//rules/private:names.bzl", "is_bucket_name", "is_extension_name", "is_name", "is_postgres_name", "is_setting_name")  # buildifier: disable=bzl-visibility
load("//rules/private:pytest_runner.bzl", "is_test_file")  # buildifier: disable=bzl-visibility
load("//rules/private:references.bzl", "canonical", "own_reference", "service_reference")  # buildifier: disable=bzl-visibility

def _names_test_impl(ctx):
    env = unittest.begin(ctx)
    for function, right, wrong in [
        (is_name, ["db", "db_2"], ["", "2db", "_db", "Db", "my-db", "dbé"]),
        (is_postgres_name, ["_db", "db2", 63 * "d"], ["", "2db", "my-db", "db\"", 64 * "d"]),
        (is_bucket_name, ["uploads", "a.b-c", "0-9", 63 * "b"], ["", "ab", "Uploads", "-ab", "ab-", "a..b", "a/b", 64 * "b"]),
        (is_extension_name, ["pg_trgm", "uuid-ossp"], ["", "-a", "a b", "a;b"]),
        (is_setting_name, ["work_mem", "app.tenant", "maxmemory-policy"], ["", "a b", "a=b", "TimeZone"]),
        (is_test_file, ["a_test.py", "test_a.py"], ["conftest.py", "test_a.txt", "testing.py", "a_test.pyi"]),
        (is_reserved, ["TEST_TMPDIR", "REALSERVICES_X", "TEST_SHARD_INDEX"], ["TEST_POSTGRES_HOST", "DATABASE_URL", "HOME"]),
    ]:
        for text in right:
            asserts.true(env, function(text), text)
        for text in wrong:
            asserts.false(env, function(text), text)
    return unittest.end(env)

def _layers_test_impl(ctx):
    env = unittest.begin(ctx)
    for count, ends in [
        (0, [0]),
        (1, [1]),
        (250, [250]),
        (251, [250, 251]),
        (275, [250, 275]),
        (276, [250, 275, 276]),
        (430, [250, 350, 400, 425, 430]),
        (500, [250, 450, 475, 500]),
        (501, [250, 500, 501]),
    ]:
        parts = layers("", range(count))
        asserts.equals(env, list(range(count)), [file for part in parts for file in part.files])
        asserts.equals(env, ends, [(part.files or [-1])[-1] + 1 for part in parts])
        asserts.equals(env, [end % 250 == 0 and end != count for end in ends], [part.is_whole for part in parts])
    return unittest.end(env)

layers_test = unittest.make(_layers_test_impl)

def _parse_value_test_impl(ctx):
    env = unittest.begin(ctx)
    url = struct(word = "url", argument = ":db")
    for text, parts in [
        ("", []),
        ("plain", ["plain"]),
        ("$(url :db)", [url]),
        ("$( url  :db )", [url]),
        ("a$(url :db)b$(url :db)", ["a", url, "b", url]),
        ("$$(url :db)", ["$(url :db)"]),
        ("$$$(url :db)", ["$", url]),
        ("$(VERSION)", [struct(word = "VERSION", argument = "")]),
    ]:
        asserts.equals(env, (parts, None), parse_value(text))
    for text in ["$", "a$b", "$(url :db", "$()$"]:
        asserts.true(env, parse_value(text)[1] != None, text)
    return unittest.end(env)

def _canonical_test_impl(ctx):
    env = unittest.begin(ctx)
    here = struct(repo_name = "", package = "auth", name = "login_test")
    elsewhere = struct(repo_name = "lib+", package = "auth", name = "login_test")
    for text in [":db", "db", "//auth:db", "@@//auth:db", "@//auth:db"]:
        asserts.equals(env, "//auth:db", canonical(here, text))
    for text in [":db", "//auth:db", "@@lib+//auth:db"]:
        asserts.equals(env, "lib+//auth:db", canonical(elsewhere, text))
    asserts.equals(env, "//auth/db:db", canonical(here, "//auth/db"))
    return unittest.end(env)

def _references_test_impl(ctx):
    env = unittest.begin(ctx)
    resolve = lambda text: "@@//auth" + text
    asserts.equals(
        env,
        {"A": "$$5 $(url @@//auth:db)", "B": "$(rootpath :file)", "C": "$", "D": "$(url)"},
        absolute_references({"A": "$$5 $(url :db)", "B": "$(rootpath :file)", "C": "$", "D": "$(url)"}, resolve),
    )
    asserts.equals(env, None, absolute_references(None, resolve))
    asserts.equals(env, {"A": "$(port http) $(port @@//auth:db admin)"}, absolute_references({"A": "$(port http) $(port :db  admin)"}, resolve, keep_names = True))
    cache = struct(name = "cache", kind = "redis", label = Label("//auth:cache"), config = {})
    server = struct(name = "server", kind = "executable", label = Label("//auth:server"), config = {"ports": ["http", "admin"], "websocket_url": []})
    worker = struct(name = "worker", kind = "executable", label = Label("//auth:worker"), config = {"password": False, "ports": [], "websocket_url": []})
    test = Label("//auth:login_test")
    asserts.equals(env, ({"field": "port", "service": "cache"}, None), service_reference(test, [cache], "port", ":cache"))
    asserts.equals(env, ({"field": "port", "port": "redis", "service": "cache"}, None), service_reference(test, [cache], "port", ":cache redis"))
    asserts.equals(env, ({"field": "port", "port": "admin", "service": "server"}, None), service_reference(test, [cache, server], "port", ":server admin"))
    for word, argument in [("user", ":cache"), ("port", ":db"), ("port", ":cache http"), ("url", ":server admin"), ("websocket_url", ":server"), ("port", ":worker"), ("password", ":worker")]:
        asserts.equals(env, None, service_reference(test, [cache, server, worker], word, argument)[0], argument)
    asserts.equals(env, ({"field": "port", "port": "admin", "service": ""}, None), own_reference("port", "admin", ["http", "admin"]))
    asserts.equals(env, ({"field": "url", "service": ""}, None), own_reference("url", "", ["http"]))
    asserts.equals(env, ({"field": "password", "service": ""}, None), own_reference("password", "", ["http"]))
    for word, argument in [("port", "db"), ("user", ""), ("host", "http"), ("password", "http")]:
        asserts.equals(env, None, own_reference(word, argument, ["http"])[0], word)
    return unittest.end(env)

def _paths_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, "_main/a/b", runfiles_path("_main", struct(short_path = "a/b")))
    asserts.equals(env, "lib+/a/b", runfiles_path("_main", struct(short_path = "../lib+/a/b")))
    asserts.equals(env, "//a:b", label_text(struct(repo_name = "", package = "a", name = "b")))
    asserts.equals(env, "@@lib+//a:b", label_text(struct(repo_name = "lib+", package = "a", name = "b")))
    return unittest.end(env)

names_test = unittest.make(_names_test_impl)
parse_value_test = unittest.make(_parse_value_test_impl)
canonical_test = unittest.make(_canonical_test_impl)
references_test = unittest.make(_references_test_impl)
paths_test = unittest.make(_paths_test_impl)

# buildifier: disable=unnamed-macro
def function_tests():
    """Declares the tests."""
    layers_test(name = "layers_test", size = "small")
    names_test(name = "names_test", size = "small")
    parse_value_test(name = "parse_value_test", size = "small")
    canonical_test(name = "canonical_test", size = "small")
    references_test(name = "references_test", size = "small")
    paths_test(name = "paths_test", size = "small")
