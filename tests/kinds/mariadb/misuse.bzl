"""Wrong uses of mariadb_service."""

load("//rules:defs.bzl", "mariadb_service")
load("//tests/analysis:misuse.bzl", "misuse")

_NAME = "up to 63 lower-case letters, digits and '_', starting with a letter or '_'"

def mariadb_misuse_tests():
    """Declares a test for each refusal."""
    package = native.package_name()
    for name, attribute, value, found, allowed in [
        ("database_taken_test", "database", "mysql", repr("mysql"), _NAME + "; not information_schema, mysql,"),
        ("database_own_test", "database", "realservices_1", repr("realservices_1"), _NAME),
        ("database_case_test", "database", "Test", repr("Test"), _NAME),
        ("user_root_test", "user", "root", repr("root"), _NAME + "; not root,"),
        ("user_quote_test", "user", "o'hara", repr("o'hara"), _NAME),
        ("migration_suffix_test", "migrations", ["BUILD.bazel"], repr(package + "/BUILD.bazel"), "files that end in .sql"),
        ("seed_suffix_test", "seeds", ["content.py"], repr(package + "/content.py"), "files that end in .sql"),
        ("setting_name_test", "settings", {"Max": "1"}, repr("Max"), "names of lower-case letters"),
        ("setting_lines_test", "settings", {"sql_mode": "a\nb"}, '"sql_mode" = "a\\nb"', "values of one line"),
        ("owned_setting_test", "settings", {"bind_address": "::"}, '"bind_address": the launcher decides where it listens', "any setting except basedir,"),
        ("hyphen_setting_test", "settings", {"init-file": "/x"}, '"init-file": the launcher decides who may log in', "any setting except basedir,"),
    ]:
        misuse(name, mariadb_service, attribute, found, allowed, service_name = "shop", **{attribute: value})
