"""Checks of the server settings that a service target may choose."""

load(":misuse.bzl", "misuse")
load(":names.bzl", "is_setting_name")

def check_settings(label, settings, owned, attribute = "settings", hyphen = "-"):
    """Refuses settings that are not settings, or that would fight with the launcher.

    Args:
      label: Label of the service target.
      settings: dict of name to value as the user wrote it.
      owned: dict of setting name to the reason or the attribute to use instead.
      attribute: name of the attribute.
      hyphen: what the server takes a hyphen in a name for.
    """
    for name, value in settings.items():
        if not is_setting_name(name):
            misuse(label, attribute, repr(name), "names of lower-case letters, digits, '_', '-' and '.'")
        reason = owned.get(name.replace("-", hyphen))
        if reason:
            misuse(label, attribute, "%s: %s" % (repr(name), reason), "any setting except " + ", ".join(sorted(owned)))
        if "\n" in value or "\r" in value:
            misuse(label, attribute, "%s = %s" % (repr(name), repr(value)), "values of one line")
