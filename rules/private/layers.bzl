"""Where a long list of migrations is cut into build actions that begin from each other's templates.

realservices/schema/layers.py cuts likewise for plain pytest, and says why.
"""

FILES_PER_LAYER = 250

# Tools that order files by the numbers that their names begin with. The orders of the others need a look into the files.
_NUMBERED = [
    "db-migrate",
    "dbmate",
    "golang-migrate",
    "goose",
    "node-pg-migrate",
    "numbered",
    "postgrator",
    "sql-migrate",
    "sqlx",
    "tern",
]

def layers(layout, files):
    """Cuts a list of migrations.

    A migration that is appended changes the last part, or begins a new one.

    Args:
      layout: whose files they are.
      files: list of File in the order of the attribute.

    Returns:
      list of lists of File: at least one, which is empty if there are no files.
    """
    if layout in _NUMBERED:
        files = sorted(files, key = _number)
    elif layout not in ["", "plain"]:
        return [files]
    count = max(1, (len(files) + FILES_PER_LAYER - 1) // FILES_PER_LAYER)
    return [files[FILES_PER_LAYER * index:FILES_PER_LAYER * (index + 1)] for index in range(count)]

def _number(file):
    digits = ""
    for character in file.basename.elems():
        if not character.isdigit():
            break
        digits += character
    return (int(digits or "0"), file.basename)
