"""The action that builds a PostgreSQL template: what it is told, and that it reads nothing more."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//rules:defs.bzl", "ServiceInfo")

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

def _told(action, package):
    """Returns what one of several actions is told, by option: how often, or the value that stands once."""
    names = [word.partition("=")[0][len(package) + 1:] for word in action.argv if word.endswith(".sql")]
    counts = {
        option: len([word for word in action.argv if word == "--" + option])
        for option in ["applied", "migration", "seed"]
    }
    paths = {
        option: action.argv[action.argv.index("--" + option) + 1].rpartition("/")[2]
        for option in ["base", "base-info", "base-whole", "form"]
        if "--" + option in action.argv
    }
    outputs = sorted([file.basename for file in action.outputs.to_list()])
    return (counts, paths, names[:1] + names[-1:], outputs)

def _parts_test_impl(ctx):
    env = analysistest.begin(ctx)
    actions = [action for action in analysistest.target_actions(env) if action.mnemonic == "RealservicesPostgresTemplate"]
    package = ctx.label.package
    for action in actions:
        inputs = [file.basename for file in action.inputs.to_list() if file.short_path.startswith(package)]
        asserts.true(env, "names.csv" in inputs, "data is an input of every part")
        _, paths, _, _ = _told(action, package)
        bases = sorted([path for option, path in paths.items() if option != "form" and not path.startswith("distribution.")])
        asserts.equals(env, bases, sorted([name for name in inputs if name.partition(".")[0].endswith("_db")]))

        # What an earlier part has applied is none: a comment in it changes nothing here.
        applied = [word.partition("=")[0] for index, word in enumerate(action.argv) if action.argv[index - 1] in ["--migration", "--seed"]]
        read = [file.short_path for file in action.inputs.to_list() if file.short_path.startswith(package) and file.extension == "sql"]
        asserts.equals(env, sorted(applied), sorted(read))
    asserts.equals(env, json.decode(ctx.attr.parts), json.decode(json.encode([_told(action, package) for action in actions])))
    config = json.decode(json.encode(analysistest.target_under_test(env)[ServiceInfo].config))
    asserts.equals(env, ctx.attr.whole, config.get("template_base", "").rpartition("/")[2])
    return analysistest.end(env)

_parts_test = analysistest.make(
    _parts_test_impl,
    attrs = {
        "parts": attr.string(doc = "What the actions are told, as JSON."),
        "whole": attr.string(doc = "Name of the archive that the last one refers to."),
    },
)

def parts_test(name, target_under_test, parts, whole):
    """Declares a test of the actions of a template that is built in parts, or that begins from another one.

    Args:
      name: its name.
      target_under_test: the service.
      parts: list of what each action is told, as `_told` returns it.
      whole: name of the archive that the service's refers to.
    """
    _parts_test(name = name, size = "small", target_under_test = target_under_test, parts = json.encode(parts), whole = whole)
