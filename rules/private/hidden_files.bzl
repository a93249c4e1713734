"""Refuses a name of a target whose executable would hide files of its own: a file cannot be where a directory is."""

load(":misuse.bzl", "misuse")

def refuse_hidden(label, files, ending):
    """Fails if files lie in a directory that has the path of the target's executable, as `tests/login_test.py` of `:tests`.

    Args:
      label: Label of the target.
      files: list of File that it needs when it runs.
      ending: what its name could end with, as `_test`.
    """
    directory = "/".join([part for part in (label.package, label.name) if part]) + "/"
    for file in files:
        if file.short_path.startswith(directory):
            misuse(
                label,
                "name",
                "%s, and the executable of that name takes the place of the directory with %s" % (repr(label.name), repr(file.short_path)),
                "a name that no directory of its package has, such as %s" % repr(label.name + ending),
            )
