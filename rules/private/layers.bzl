"""Where a long list of migrations is cut into build actions that begin from each other's templates.

realservices/schema/layers.py cuts likewise for plain pytest, and says why; there any template that is there can be begun
from, so it needs no cuts near the end of the list.
"""

FILES_PER_LAYER = 250

# A migration that is appended mostly costs no more than these.
FILES_AT_THE_END = 25

# Behind the last layer of 250 there are cuts after 200, 100, 50 and 25 files, each if the rest is long enough. Where a
# cut lies says which one comes before it, so that a longer list finds the templates of a shorter one.
_STEPS = [8, 4, 2, 1]

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
      list of structs, at least one: `files`, list of File, which is empty if there are none; `is_whole`, whether its
      template holds all that comes before. The others hold what differs from the last whole one.
    """
    if layout in _NUMBERED:
        files = sorted(files, key = _number)
    elif layout not in ["", "plain"]:
        return [struct(files = files, is_whole = False)]
    whole = range(FILES_PER_LAYER, len(files), FILES_PER_LAYER)
    ends = list(whole)
    if ends:
        for step in _STEPS:
            end = ends[-1] + step * FILES_AT_THE_END
            if end < len(files):
                ends.append(end)
    ends.append(len(files))
    return [
        struct(files = files[start:end], is_whole = end in whole)
        for start, end in zip([0] + ends[:-1], ends)
    ]

def _number(file):
    digits = ""
    for character in file.basename.elems():
        if not character.isdigit():
            break
        digits += character
    return (int(digits or "0"), file.basename)
