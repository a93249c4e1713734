"""Directories that a Python library wants on the import path, however it says so."""

def library_imports(info):
    """Returns the import path of a library as runfiles paths.

    With rules_python's `--venvs_site_packages=yes` a distribution has no `imports`: it lists what to link into the
    site-packages of a virtual environment. What a link leads to lies below a directory that can be imported from.

    Args:
      info: PyInfo.

    Returns:
      list of string without repetition.
    """
    roots = {path: None for path in info.imports.to_list()}
    links = getattr(info, "venv_symlinks", None)
    for link in links.to_list() if links else []:
        end = "/" + link.venv_path
        if link.kind == "LIB" and link.link_to_path and link.link_to_path.endswith(end):
            roots[link.link_to_path.removesuffix(end)] = None
    return list(roots)
