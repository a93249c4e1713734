"""The attribute `env`: text in which `$(url :db)` and its like stand for what a service turns out to have.

A service's port is known only when a test starts, so a value becomes a list of literal strings and references,
which the launcher fills in.
"""

load(":kinds.bzl", "FIELDS")

# Names that belong to Bazel's protocol with a test, or to the launcher.
_RESERVED_PREFIXES = ["BAZEL_", "COVERAGE_", "REALSERVICES_", "RUNFILES_", "TESTBRIDGE_", "TEST_SHARD_", "TEST_UNDECLARED_OUTPUTS_"]
_RESERVED_NAMES = [
    "JAVA_RUNFILES",
    "PYTHON_RUNFILES",
    "TEST_BINARY",
    "TEST_INFRASTRUCTURE_FAILURE_FILE",
    "TEST_PREMATURE_EXIT_FILE",
    "TEST_RANDOM_SEED",
    "TEST_RUN_NUMBER",
    "TEST_SIZE",
    "TEST_SRCDIR",
    "TEST_TARGET",
    "TEST_TIMEOUT",
    "TEST_TMPDIR",
    "TEST_TOTAL_SHARDS",
    "TEST_WARNINGS_OUTPUT_FILE",
    "TEST_WORKSPACE",
    "XML_OUTPUT_FILE",
]

RESERVED_TEXT = "a name other than %s and %s" % (
    ", ".join([prefix + "*" for prefix in _RESERVED_PREFIXES]),
    ", ".join(_RESERVED_NAMES),
)

def is_reserved(name):
    """Whether an environment variable is not a target's to set.

    Args:
      name: the variable.
    """
    return name in _RESERVED_NAMES or any([name.startswith(prefix) for prefix in _RESERVED_PREFIXES])

def parse_value(value):
    """Splits a value at its `$(word argument)` expressions; `$$` is a dollar sign.

    Args:
      value: the text from the BUILD file.

    Returns:
      tuple: list of strings (literal) and structs (`word`, `argument`, which may be ""), and an error text or None.
    """
    parts = []
    literal, rest = "", value
    for _ in range(len(value)):
        before, dollar, rest = rest.partition("$")
        literal += before
        if not dollar:
            break
        if rest.startswith("$"):
            literal += "$"
            rest = rest[1:]
        elif rest.startswith("(") and ")" in rest:
            inside, _, rest = rest[1:].partition(")")
            word, _, argument = inside.strip().partition(" ")
            parts += ([literal] if literal else []) + [struct(word = word, argument = argument.strip())]
            literal = ""
        else:
            return [], 'a "$" that starts no $(…)'
    return parts + ([literal] if literal else []), None

def absolute_references(env, resolve, keep_names = False):
    """Rewrites the labels of service references so that they mean the same in every package and repository.

    Only a macro can resolve a label as the BUILD file means it; the rule compares the result with its services.

    Args:
      env: the attribute's value; a `select` is returned as it is.
      resolve: function from text to Label, `native.package_relative_label`.
      keep_names: see `absolute_text`.
    """
    if type(env) != "dict":
        return env
    return {name: absolute_text(value, resolve, keep_names) for name, value in env.items()}

def is_label(text):
    """Whether the argument of a reference is a label; else it is a port of the service itself.

    Args:
      text: the argument's first word.
    """
    return text[:1] in [":", "/", "@"]

def absolute_text(value, resolve, keep_names = False):
    """Rewrites the labels of service references in one text, see `absolute_references`.

    Args:
      value: the text.
      resolve: function from text to Label.
      keep_names: whether `$(port name)` speaks of a port of the target itself, not of a target in the package.

    Returns:
      string: the text; one that is not well-formed is returned as it is.
    """
    parts, error = parse_value(value)
    if error:
        return value
    text = ""
    for part in parts:
        if type(part) == "string":
            text += part.replace("$", "$$")
        elif part.word in FIELDS and part.argument and (is_label(part.argument) or not keep_names):
            label, _, port = part.argument.partition(" ")
            text += "$(%s)" % (part.word + " %s %s" % (resolve(label), port.strip())).strip()
        else:
            text += "$(%s)" % (part.word + " " + part.argument).strip()
    return text
