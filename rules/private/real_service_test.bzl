"""The macro `real_service_test`.

It adds what a rule cannot: a py_library of the test's sources through rules_python's public API, so that the rule
itself wraps any executable and knows of Python only what a library provides.
"""

load("@rules_python//python:py_library.bzl", "py_library")
load(":env.bzl", "absolute_references")
load(":real_service_test_rule.bzl", _real_service_test = "real_service_test")

# Attributes with which a library must agree with the test that depends on it.
_SHARED = ["compatible_with", "restricted_to", "target_compatible_with", "features"]

_PYTEST = Label(":pytest_support")

def real_service_test(
        name,
        srcs = None,
        deps = None,
        test = None,
        services = None,
        env = None,
        imports = None,
        **kwargs):
    """A test with real services, which are started for it, isolated from all others and gone afterwards.

    ```python
    real_service_test(name = "login_test", srcs = ["login_test.py"], deps = [":auth"], services = [":db"], shard_count = 4)
    real_service_test(name = "go_login_test", test = ":login_go_test", services = [":db"], env = {"DB": "$(url :db)"})
    ```

    Args:
      name: Name of the test.
      srcs: Python files. pytest runs those named `test_*.py` or `*_test.py`; others, such as `conftest.py`, are importable.
      deps: Python libraries that `srcs` import.
      test: Instead of `srcs`: any executable to run as the test. A test rule's target needs `tags = ["manual"]`, or
        `bazel test //...` runs it by itself too, without services.
      services: Targets of service rules; those that they need come with them.
      env: Environment of the test program. `$(url :db)` is the URL of a service; likewise `host`, `port`, `user`,
        `password`, `database`, `socket` and `websocket_url`. `$(port :server admin)` is a port by name, `$(url :db jdbc)`
        another form of a URL (docs/environment_variables.md), `$(rootpath :file)` the path of a file in `data`. Within a
        `select`, write the canonical label of a service in another repository (`@@repository//package:name`).
      imports: Directories in the package to add to the import path, as in py_library.
      **kwargs: The attributes below, and every attribute that all tests have: `args` (options for pytest or the
        executable), `size`, `timeout`, `shard_count`, `flaky`, `local`, `tags`, `visibility` and others.
    """
    kwargs.setdefault("testonly", True)
    env = absolute_references(env, native.package_relative_label)
    if srcs and not test:
        library = "_%s.pytest" % name
        py_library(
            name = library,
            srcs = srcs,
            imports = imports,
            tags = ["manual"],
            testonly = kwargs["testonly"],
            visibility = ["//visibility:private"],
            deps = deps,
            **{key: kwargs[key] for key in _SHARED if key in kwargs}
        )
        _real_service_test(
            name = name,
            srcs = srcs,
            env = env,
            measured = deps,
            pytest = _PYTEST,
            pytest_library = library,
            services = services,
            **kwargs
        )
    else:
        # What is wrong about the rest is the rule's to say: only it can, once every select is resolved.
        _real_service_test(
            name = name,
            srcs = srcs,
            env = env,
            imports = imports,
            services = services,
            test = test,
            deps = deps,
            **kwargs
        )
