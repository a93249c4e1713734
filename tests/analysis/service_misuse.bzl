"""Wrong uses of the service rules."""

load("//rules:defs.bzl", "clickhouse_service", "exec_ready", "executable_service", "postgres_service", "redis_service")
load("//rules/private:clickhouse_service.bzl", _CLICKHOUSE = "OWNED_SETTINGS")  # buildifier: disable=bzl-visibility
load("//rules/private:postgres_service.bzl", _POSTGRES = "OWNED_SETTINGS")  # buildifier: disable=bzl-visibility
load("//rules/private:redis_service.bzl", _REDIS = "OWNED_SETTINGS")  # buildifier: disable=bzl-visibility
load(":fakes.bzl", "fake_directory", "fake_service")
load(":misuse.bzl", "misuse")

def _postgres_names():
    for name, attribute, value, allowed in [
        ("database_case_test", "database", "Test", "up to 63 lower-case letters"),
        ("database_length_test", "database", 64 * "d", "up to 63 lower-case letters"),
        ("database_taken_test", "database", "template1", "up to 63 lower-case letters"),
        ("database_empty_test", "database", "", "up to 63 lower-case letters"),
        ("user_quote_test", "user", "o'hara", "up to 63 lower-case letters"),
        ("user_prefix_test", "user", "pg_owner", "up to 63 lower-case letters"),
        ("layout_test", "layout", "gooze", "\"db-migrate\", \"dbmate\", \"diesel\", "),
    ]:
        misuse(name, postgres_service, attribute, repr(value), allowed, service_name = "db", **{attribute: value})
    for name, attribute, value, allowed in [
        ("locale_option_test", "locale", "-T german", "a locale's name as initdb takes it"),
        ("locale_provider_alone_test", "locale_provider", "icu", "only beside attribute 'locale'"),
        ("layout_alone_test", "layout", "goose", "only beside attribute 'migrations'"),
    ]:
        misuse(name, postgres_service, attribute, repr(value), allowed, service_name = "db", **{attribute: value})
    misuse(
        "extension_test",
        postgres_service,
        "extensions",
        repr("pg_trgm; drop"),
        "names of lower-case letters",
        service_name = "db",
        extensions = ["vector", "pg_trgm; drop"],
    )

def _postgres_base():
    postgres_service(
        name = "base_db",
        database = "app",
        locale = "en_US.UTF-8",
        settings = {"work_mem": "8MB"},
        tags = ["manual"],
        user = "owner",
    )
    same = {
        "database": "app",
        "locale": "en_US.UTF-8",
        "settings": {"work_mem": "8MB"},
        "user": "owner",
    }
    shown = "//%s:base_db" % native.package_name()
    native.filegroup(name = "one_directory", srcs = ["lib"], tags = ["manual"])
    for name, attribute, value, found in [
        ("base_database_test", "database", "test", "\"test\", but %s, which is its base, has \"app\"" % shown),
        ("base_user_test", "user", "test", "\"test\", but %s, which is its base, has \"owner\"" % shown),
        ("base_settings_test", "settings", {}, "{}, but %s, which is its base, has {\"work_mem\": \"8MB\"}" % shown),
        ("base_locale_test", "locale", "C", "\"C\", but %s, which is its base, has \"en_US.UTF-8\"" % shown),
        ("base_distribution_test", "distribution", ":one_directory", "one_directory\", but %s, which is its base, has " % shown),
    ]:
        attrs = same | {attribute: value}
        misuse(name, postgres_service, attribute, found, "the same as the base's", service_name = "db", base = ":base_db", **attrs)
    misuse(
        "base_locale_provider_test",
        postgres_service,
        "locale_provider",
        "\"libc\", but %s, which is its base, has \"\"" % shown,
        "the same as the base's",
        service_name = "db",
        base = ":base_db",
        locale_provider = "libc",
        **same
    )
    fake_service(name = "no_postgres", tags = ["manual"])
    misuse(
        "base_kind_test",
        postgres_service,
        "base",
        "no_postgres is not a postgres_service",
        "a target of postgres_service",
        service_name = "db",
        base = ":no_postgres",
    )

def _postgres_files():
    fake_directory(name = "directory.sql", tags = ["manual"])
    native.filegroup(name = "two_directories", srcs = ["lib", "share"], tags = ["manual"])
    package = native.package_name()
    for name, attribute, value, allowed in [
        ("migration_suffix_test", "migrations", "BUILD.bazel", "files that end in .sql"),
        ("migration_directory_test", "migrations", "directory.sql", "files that end in .sql"),
        ("migration_equals_sign_test", "migrations", "day=1.sql", "paths without '='"),
        ("sqitch_plan_test", "migrations", "sqitch.plan", "it with layout = \"sqitch\""),
        ("seed_suffix_test", "seeds", "seed.csv", "files that end in .sql"),
    ]:
        misuse(name, postgres_service, attribute, repr("%s/%s" % (package, value)), allowed, service_name = "db", **{attribute: [value]})
    misuse(
        "distribution_test",
        postgres_service,
        "distribution",
        "two_directories has 2 files",
        "a label of one directory",
        service_name = "db",
        distribution = "two_directories",
    )

def _clickhouse():
    package = native.package_name()
    for name, attribute, value, found, allowed in [
        ("clickhouse_database_taken_test", "database", "system", repr("system"), "up to 63 lower-case letters, digits and '_', starting with a letter or '_'; not default, information_schema,"),
        ("clickhouse_database_own_test", "database", "realservices_1", repr("realservices_1"), "up to 63 lower-case letters"),
        ("clickhouse_database_case_test", "database", "Test", repr("Test"), "up to 63 lower-case letters"),
        ("clickhouse_user_default_test", "user", "default", repr("default"), "up to 63 lower-case letters, digits and '_', starting with a letter or '_'; not default,"),
        ("clickhouse_user_quote_test", "user", "o'hara", repr("o'hara"), "up to 63 lower-case letters"),
        ("clickhouse_schema_suffix_test", "schema", ["BUILD.bazel"], repr(package + "/BUILD.bazel"), "files that end in .sql"),
        ("clickhouse_seed_suffix_test", "seeds", ["seed.csv"], repr(package + "/seed.csv"), "files that end in .sql"),
        ("clickhouse_schema_equals_sign_test", "schema", ["day=1.sql"], repr(package + "/day=1.sql"), "paths without '='"),
        ("clickhouse_setting_name_test", "settings", {"Max": "1"}, repr("Max"), "names of lower-case letters"),
        ("clickhouse_port_setting_test", "server_settings", {"mysql_port": "1"}, '"mysql_port": the launcher decides where it listens', "any setting except access_control_path,"),
        ("clickhouse_server_setting_test", "server_settings", {"listen_host": "::"}, '"listen_host": the launcher decides', "any setting except access_control_path,"),
    ]:
        misuse(name, clickhouse_service, attribute, found, allowed, service_name = "events", **{attribute: value})

def _settings():
    for name, kind, settings, found, allowed in [
        ("postgres_owned_setting_test", postgres_service, {"port": "5432"}, '"port": the launcher decides', "any setting except config_file,"),
        ("postgres_setting_name_test", postgres_service, {"work_mem = 1; x": "1"}, repr("work_mem = 1; x"), "names of lower-case letters"),
        ("postgres_setting_lines_test", postgres_service, {"work_mem": "1MB\nport=1"}, '"work_mem" = "1MB\\nport=1"', "values of one line"),
        ("redis_owned_setting_test", redis_service, {"requirepass": "x"}, '"requirepass": the launcher decides', "any setting except aclfile,"),
        ("redis_databases_setting_test", redis_service, {"databases": "4"}, "use `databases`, which stands beside", "any setting except aclfile,"),
        ("postgres_hyphen_setting_test", postgres_service, {"hba-file": "/x"}, '"hba-file": the launcher decides who may log in', "any setting except config_file,"),
    ]:
        misuse(name, kind, "settings", found, allowed, service_name = "service", settings = settings)

def _owned_settings():
    """One test for each setting that is the launcher's."""
    for kind, rule, attribute, owned in [
        ("clickhouse", clickhouse_service, "server_settings", _CLICKHOUSE),
        ("postgres", postgres_service, "settings", _POSTGRES),
        ("redis", redis_service, "settings", _REDIS),
    ]:
        for name, reason in owned.items():
            misuse(
                "owned_%s_%s_test" % (kind, name),
                rule,
                attribute,
                "%s: %s" % (repr(name), reason),
                "any setting except ",
                service_name = "service",
                **{attribute: {name: "1"}}
            )

def _passwords():
    allowed = "$(password) within 'env' and 'url'"
    for name, attribute, attrs in [
        ("password_in_arguments_test", "args", {"args": ["--password=$(password)"]}),
        ("password_in_arguments_of_readiness_test", "ready", {"ready": exec_ready(":program", ["$(password)"])}),
    ]:
        found = "$(password), which every user of the machine could read there"
        misuse(name, executable_service, attribute, found, allowed, binary = ":program", service_name = "server", **attrs)

# buildifier: disable=unnamed-macro
def service_misuse_tests():
    """Declares the tests."""
    _clickhouse()
    _passwords()
    _postgres_names()
    _postgres_base()
    _postgres_files()
    _owned_settings()
    _settings()
    misuse("too_few_databases_test", redis_service, "databases", "0", "1 to 65536", service_name = "cache", databases = 0)
    misuse("too_many_databases_test", redis_service, "databases", "65537", "1 to 65536", service_name = "cache", databases = 65537)
    misuse("service_name_test", redis_service, "service_name", repr("Cache"), "lower-case letters", service_name = "Cache")
    misuse("service_name_from_target-test", redis_service, "service_name", repr("service_name_from_target-test_subject"), "lower-case letters")
    misuse(
        "needed_service_test",
        fake_service,
        "services",
        ":client is not a service",
        "targets of rules that return ServiceInfo",
        services = [":client"],
    )
    misuse(
        "needed_services_of_one_name_test",
        fake_service,
        "services",
        'two services are named "cache": //',
        "one service of each name",
        services = [":cache", ":other_cache"],
    )
