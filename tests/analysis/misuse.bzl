"""One test per wrong use: the message must name the target, the attribute, what it holds and what it may hold."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")

def _misuse_test_impl(ctx):
    env = analysistest.begin(ctx)
    label = analysistest.target_under_test(env).label
    attribute = "%s//%s:%s: attribute '%s': " % ("@@" + label.repo_name if label.repo_name else "", label.package, label.name, ctx.attr.attribute)
    for expected in [attribute, ctx.attr.found, "; allowed: " + ctx.attr.allowed]:
        asserts.expect_failure(env, expected)
    return analysistest.end(env)

misuse_test = analysistest.make(
    _misuse_test_impl,
    expect_failure = True,
    attrs = {
        "allowed": attr.string(
            doc = "Start of what the message allows.",
            mandatory = True,
        ),
        "attribute": attr.string(
            doc = "The attribute to blame.",
            mandatory = True,
        ),
        "found": attr.string(
            doc = "What the message says of the value.",
            mandatory = True,
        ),
    },
)

def misuse(name, kind, attribute, found, allowed, **attrs):
    """Declares a wrong target and the test of its message.

    Args:
      name: name of the test.
      kind: the rule or macro to misuse.
      attribute: the attribute that must be blamed.
      found: text of the message about the value.
      allowed: how the text about what is allowed must start.
      **attrs: the wrong use.
    """
    subject = name.removesuffix("_test") + "_subject"
    kind(name = subject, tags = ["manual"], **attrs)
    misuse_test(
        name = name,
        size = "small",
        target_under_test = subject,
        attribute = attribute,
        found = found,
        allowed = allowed,
    )
