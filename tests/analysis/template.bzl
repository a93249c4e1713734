"""The action that builds a PostgreSQL template: what it is told, and that it reads nothing more."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")

def _template_test_impl(ctx):
    env = analysistest.begin(ctx)
    actions = [action for action in analysistest.target_actions(env) if action.mnemonic == "RealservicesPostgresTemplate"]
    asserts.equals(env, 1, len(actions))
    sql_files = [file.short_path for file in actions[0].inputs.to_list() if file.extension == "sql"]

    # The server brings scripts of its extensions along.
    sources = [path for path in sql_files if not path.startswith("../")]
    package = ctx.label.package
    asserts.equals(env, sorted([package + "/b.sql", package + "/a.sql", package + "/seed.sql"]), sorted(sources))

    # Which archive the tool comes from decides when templates are rebuilt.
    archives = [file.basename for file in actions[0].inputs.to_list() if file.extension == "zip"]
    asserts.equals(env, ["template.zip"], archives)

    arguments = actions[0].argv
    told = arguments[arguments.index("template") + 1:]
    options = [told[index] + " " + told[index + 1] for index in range(0, len(told), 2)]
    for expected in [
        "--database app",
        "--user owner",
        "--extension pg_trgm",
        "--extension uuid-ossp",
        "--locale en-US",
        "--locale-provider icu",
        "--setting work_mem=8MB",
        "--label //%s:db" % package,
    ]:
        asserts.true(env, expected in options, "%s not in %s" % (expected, options))
    asserts.equals(
        env,
        # The order is the user's, not the alphabet's.
        ["--migration {0}/b.sql={0}/b.sql".format(package), "--migration {0}/a.sql={0}/a.sql".format(package), "--seed {0}/seed.sql={0}/seed.sql".format(package)],
        [option for option in options if option.split(" ")[0] in ["--migration", "--seed"]],
    )
    asserts.equals(env, ["db.json", "db.tar"], sorted([file.basename for file in actions[0].outputs.to_list()]))
    return analysistest.end(env)

template_test = analysistest.make(_template_test_impl)

def _layers_test_impl(ctx):
    env = analysistest.begin(ctx)
    actions = [action for action in analysistest.target_actions(env) if action.mnemonic == "RealservicesPostgresTemplate"]
    package = ctx.label.package
    told = []
    for action in actions:
        names = [word.partition("=")[0][len(package) + 1:] for word in action.argv if word.endswith(".sql")]
        options = {
            option: len([word for word in action.argv if word == "--" + option])
            for option in ["applied", "migration", "seed", "base"]
        }
        told.append((options, names[0], names[-1], sorted([file.basename for file in action.outputs.to_list()])))
        sources = [file.basename for file in action.inputs.to_list() if file.short_path.startswith(package)]
        asserts.true(env, "names.csv" in sources, "data is an input of every part")
        asserts.equals(env, options["base"] * 2, len([name for name in sources if name.startswith("long_db.")]))
    asserts.equals(env, [
        ({"applied": 0, "migration": 250, "seed": 0, "base": 0}, "1_m.up.sql", "250_m.up.sql", ["long_db.1.json", "long_db.1.tar"]),
        ({"applied": 250, "migration": 250, "seed": 0, "base": 1}, "1_m.up.sql", "500_m.up.sql", ["long_db.2.json", "long_db.2.tar"]),
        ({"applied": 500, "migration": 5, "seed": 1, "base": 1}, "1_m.up.sql", "seed.sql", ["long_db.json", "long_db.tar"]),
    ], told)
    return analysistest.end(env)

layers_test = analysistest.make(_layers_test_impl)
