"""Texts for labels and files: what messages show, and the paths by which a running test finds its files."""

def label_text(label):
    """Returns the label as people write it: `//auth:db`, with the repository only if it is another one.

    Args:
      label: a Label.
    """
    repo = "@@" + label.repo_name if label.repo_name else ""
    return "%s//%s:%s" % (repo, label.package, label.name)

def runfiles_path(workspace_name, file):
    """Returns the path of a file below the runfiles root.

    Args:
      workspace_name: `ctx.workspace_name`, the folder of the main repository.
      file: a File.
    """
    if file.short_path.startswith("../"):
        return file.short_path[len("../"):]
    return workspace_name + "/" + file.short_path
