"""What the build action of a template is told of its migrators, and that it has all that they read."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//rules:defs.bzl", "clickhouse_service", "migrator", "postgres_service")

def _migrate_test_impl(ctx):
    env = analysistest.begin(ctx)
    actions = analysistest.target_actions(env)
    written = [action for action in actions if action.mnemonic == "FileWrite"]
    asserts.equals(env, 1, len(written))
    spec = json.decode(written[0].content)
    template = [action for action in actions if action.mnemonic.endswith("Template")][0]
    asserts.true(env, written[0].outputs.to_list()[0] in template.inputs.to_list())
    package = "%s/%s" % (ctx.workspace_name, ctx.label.package)
    first, second = spec["migrators"]

    # The order is the user's.
    asserts.equals(env, ["//%s:with_arguments" % ctx.label.package, "//%s:other_program" % ctx.label.package], [first["name"], second["name"]])
    asserts.true(env, first["program"].endswith("/program"), first["program"])
    asserts.equals(env, {"FROM_PROGRAM": "1"}, first["env"])
    own = lambda field: {"field": field, "service": ""}
    asserts.equals(env, [["--at=", own("host"), ":", own("port")], [{"file": ctx.label.package + "/b.sql"}], ["$x"]], first["args"])
    asserts.equals(env, [], second["args"])
    asserts.equals(env, ctx.workspace_name, first["cwd"])
    asserts.equals(env, [package + "/b.sql", package + "/seed.sql"], sorted(first["files"]))
    asserts.equals(env, {package + "/seed.sql": ctx.label.package + "/seed.sql"}, second["files"])
    asserts.equals(env, 7, spec["timeout_s"])
    asserts.equals(env, [own("url"), "?x"], spec["env"]["URL"])
    asserts.equals(env, [{"file": ctx.label.package + "/seed.sql"}], spec["env"]["FILE"])
    asserts.equals(env, ctx.attr.port, json.encode(spec["env"]["PORT"]))

    inputs = [file.short_path for file in template.inputs.to_list()]
    for name in ["b.sql", "seed.sql", "program", "other_program"]:
        asserts.true(env, "%s/%s" % (ctx.label.package, name) in inputs, name)
    return analysistest.end(env)

_migrate_test = analysistest.make(_migrate_test_impl, attrs = {"port": attr.string(doc = "What becomes of `$(port …)`.")})

# buildifier: disable=unnamed-macro
def migrate_tests():
    """Declares the tests."""
    migrator(
        name = "with_arguments",
        args = ["--at=$(host):$(port)", "$(rootpath b.sql)", "$$x"],
        binary = ":program",
        data = ["b.sql"],
        tags = ["manual"],
    )
    for kind, rule, port, expected in [
        ("postgres", postgres_service, "$(port)", '[{"field":"port","service":""}]'),
        ("clickhouse", clickhouse_service, "$(port tcp)", '[{"field":"port","port":"tcp","service":""}]'),
    ]:
        rule(
            name = "migrated_" + kind,
            migrate = [":with_arguments", ":other_program"],
            migrate_data = ["seed.sql"],
            migrate_env = {"FILE": "$(rootpath seed.sql)", "PORT": port, "URL": "$(url)?x"},
            migrate_timeout_s = 7,
            tags = ["manual"],
        )
        _migrate_test(
            name = "migrate_%s_test" % kind,
            size = "small",
            port = expected,
            target_under_test = ":migrated_" + kind,
        )
