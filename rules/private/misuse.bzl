"""The one form in which the rules report wrong use."""

load(":labels.bzl", "label_text")

def misuse(label, attribute, found, allowed):
    """Fails with the target, the attribute, what it holds and what it may hold.

    Args:
      label: Label of the target to mend.
      attribute: name of the attribute to mend.
      found: text: the offending value in quotes (`repr`), or what is wrong with it.
      allowed: text: what to write instead.
    """
    fail("%s: attribute '%s': %s; allowed: %s" % (label_text(label), attribute, found, allowed))
