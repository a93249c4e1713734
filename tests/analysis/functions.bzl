"""Unit tests of the functions that need no target: names, labels, and the expressions in `env`."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//rules/private:env.bzl", "absolute_references", "is_reserved", "parse_value")  # buildifier: disable=bzl-visibility
load("//rules/private:fetch_repo.bzl", "fetched", "watched_path")  # buildifier: disable=bzl-visibility
load("//rules/private:import_roots.bzl", "library_imports")  # buildifier: disable=bzl-visibility
load("//rules/private:index_pages.bzl", "files_of_page", "may_fit", "pins_of_lock")  # buildifier: disable=bzl-visibility
load("//rules/private:labels.bzl", "label_text", "runfiles_path")  # buildifier: disable=bzl-visibility
load("//rules/private:layers.bzl", "layers")  # buildifier: disable=bzl-visibility
load("//rules/private:names.bzl", "is_bucket_name", "is_extension_name", "is_name", "is_postgres_name", "is_setting_name")  # buildifier: disable=bzl-visibility
load("//rules/private:pytest_runner.bzl", "is_test_file")  # buildifier: disable=bzl-visibility
load("//rules/private:references.bzl", "canonical", "own_reference", "service_reference")  # buildifier: disable=bzl-visibility
load("//third_party/python:machine_python.bzl", "is_machine_python")

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
        (300, [250, 300]),
        (301, [250, 300, 301]),
        (430, [250, 400, 430]),
        (500, [250, 450, 500]),
        (501, [250, 500, 501]),
    ]:
        parts = layers("", range(count))
        asserts.equals(env, list(range(count)), [file for part in parts for file in part.files])
        asserts.equals(env, ends, [(part.files or [-1])[-1] + 1 for part in parts])
        asserts.equals(env, [end % 250 == 0 and end != count for end in ends], [part.is_whole for part in parts])
    for layout, names in {
        "dbmate": ["10_a.sql", "9_b.sql"],
        "goose": ["9_b.sql", "10_a.sql"],
        "node-pg-migrate": ["1700000000000_b.sql", "20200101000000000_a.sql"],
        "sql-migrate": ["9.sql", "10.sql", "a.sql"],
    }.items():
        # As the attribute has them: the one with milliseconds last, where the tool's order needs a look at the dates.
        files = [struct(basename = name) for name in reversed(names)]
        ordered = [file.basename for file in layers(layout, files)[0].files]
        asserts.equals(env, list(reversed(names)) if layout == "node-pg-migrate" else names, ordered, layout)
    return unittest.end(env)

layers_test = unittest.make(_layers_test_impl)

def _library_imports_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, ["_main/a", "_main/b"], library_imports(struct(imports = depset(["_main/a", "_main/b"]))))
    links = [
        struct(kind = "LIB", link_to_path = "six/site-packages/six.py", venv_path = "six.py"),
        struct(kind = "LIB", link_to_path = "six/site-packages/six-1.dist-info", venv_path = "six-1.dist-info"),
        struct(kind = "LIB", link_to_path = "ns/site-packages/google/cloud", venv_path = "google/cloud"),
        struct(kind = "LIB", link_to_path = None, venv_path = "google"),
        struct(kind = "BIN", link_to_path = "six/bin/six", venv_path = "six"),
    ]
    library = struct(imports = depset(["_main/a"]), venv_symlinks = depset(links))
    asserts.equals(env, ["_main/a", "six/site-packages", "ns/site-packages"], library_imports(library))
    return unittest.end(env)

library_imports_test = unittest.make(_library_imports_test_impl)

def _repository_context_test_impl(ctx):
    env = unittest.begin(ctx)
    watched = []
    newer = struct(path = lambda label: "/" + label, repo_metadata = lambda reproducible: reproducible, watch = watched.append)
    asserts.equals(env, "/lock", watched_path(newer, "lock"))
    asserts.equals(env, ["/lock"], watched)
    asserts.equals(env, True, fetched(newer, reproducible = True))
    asserts.equals(env, False, fetched(newer, reproducible = False))
    asserts.equals(env, None, fetched(struct(), reproducible = True), "Bazel 7 knows no repo_metadata")
    return unittest.end(env)

repository_context_test = unittest.make(_repository_context_test_impl)

def _index_pages_test_impl(ctx):
    env = unittest.begin(ctx)
    page = "".join(["<a href=\"%s\">file</a>" % link for link in [
        "https://files.test/a.whl#sha256=aa",
        "../../files/b.whl?x=1&amp;y=2#sha256=bb",
        "/root/c.whl#sha256=cc",
        "./d.whl#sha256=dd",
        "unpinned.whl",
    ]])
    asserts.equals(env, {
        "aa": "https://files.test/a.whl",
        "bb": "http://index.test:80/files/b.whl?x=1&y=2",
        "cc": "http://index.test:80/root/c.whl",
        "dd": "http://index.test:80/simple/demo/d.whl",
    }, files_of_page(page, "http://index.test:80/simple/demo/"))
    for file, fits in [
        ("a-1-py3-none-any.whl", True),
        ("a-1-1-py2.py3-none-any.whl", True),
        ("a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("a-1-cp39-abi3-manylinux_2_17_x86_64.whl", True),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.whl", False),
        ("a-1-cp312-cp312-manylinux_2_17_aarch64.whl", False),
        ("a-1-cp312-cp312-macosx_11_0_universal2.whl", False),
        ("a-1-py2-none-any.whl", False),
        ("a-1.tar.gz", False),
        ("", False),
    ]:
        asserts.equals(env, fits, may_fit(file, "linux_x86_64", "3.12"), file)
    asserts.true(env, may_fit("a-1-cp312-cp312-macosx_11_0_universal2.whl", "macos_arm64", "3.12"))
    lock = "# head\na==1 ; python_version == '3.12' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via c==3\nb-c==2 --hash=sha256:cc\n"
    asserts.equals(env, {"a": ["aa", "bb"], "b-c": ["cc"]}, pins_of_lock(lock))
    return unittest.end(env)

index_pages_test = unittest.make(_index_pages_test_impl)

def _machine_python_test_impl(ctx):
    env = unittest.begin(ctx)
    for name, expected in [("runtime_env_toolchain_interpreter.sh", True), ("py3wrapper.sh", True), ("python3.12", False)]:
        asserts.equals(env, expected, is_machine_python(struct(interpreter = struct(basename = name))), name)
    asserts.false(env, is_machine_python(struct(interpreter = None)), "an interpreter by its path")
    return unittest.end(env)

machine_python_test = unittest.make(_machine_python_test_impl)

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
    fields = ["host", "password", "port", "url", "websocket_url"]
    cache = struct(name = "cache", kind = "redis", label = Label("//auth:cache"), config = {}, fields = fields, url_forms = [])
    server = struct(name = "server", kind = "executable", label = Label("//auth:server"), config = {"ports": ["http", "admin"], "websocket_url": []}, fields = fields, url_forms = [])
    worker = struct(name = "worker", kind = "executable", label = Label("//auth:worker"), config = {"password": False, "ports": [], "websocket_url": []}, fields = fields, url_forms = [])
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
    index_pages_test(name = "index_pages_test", size = "small")
    layers_test(name = "layers_test", size = "small")
    library_imports_test(name = "library_imports_test", size = "small")
    machine_python_test(name = "machine_python_test", size = "small")
    names_test(name = "names_test", size = "small")
    parse_value_test(name = "parse_value_test", size = "small")
    canonical_test(name = "canonical_test", size = "small")
    references_test(name = "references_test", size = "small")
    paths_test(name = "paths_test", size = "small")
    repository_context_test(name = "repository_context_test", size = "small")
