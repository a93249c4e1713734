"""Where a long list of migrations is cut into build actions that begin from each other's templates.

realservices/schema/layers.py cuts likewise for plain pytest, and says why; there any template that is there can be begun
from, so it needs no cuts near the end of the list.
"""

FILES_PER_LAYER = 250

# A migration that is appended mostly costs no more than these: a whole number of them, behind the last layer of 250,
# is a layer, too. More such cuts would cost each build what they save the next one: a layer costs as much as 200 files.
FILES_AT_THE_END = 50

# Tools that order files by their names, and by the numbers that these begin with. The orders of the others need a look
# into the files.
_NAMED = ["db-migrate", "dbmate"]
_NUMBERED = [
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
    if layout in _NAMED:
        files = sorted(files, key = _name)
    elif layout in _NUMBERED and not _has_dates_and_times(layout, files):
        files = sorted(files, key = _number)
    elif layout not in ["", "plain"]:
        return [struct(files = files, is_whole = False)]
    whole = range(FILES_PER_LAYER, len(files), FILES_PER_LAYER)
    ends = list(whole)
    if ends and len(files) - ends[-1] > FILES_AT_THE_END:
        ends.append(ends[-1] + (len(files) - ends[-1] - 1) // FILES_AT_THE_END * FILES_AT_THE_END)
    ends.append(len(files))
    return [
        struct(files = files[start:end], is_whole = end in whole)
        for start, end in zip([0] + ends[:-1], ends)
    ]

def _has_dates_and_times(layout, files):
    """Returns whether numbers are dates in some names and milliseconds in others, as node-pg-migrate has had them."""
    lengths = [len(_digits(file)) == 17 for file in files]
    return layout == "node-pg-migrate" and True in lengths and False in lengths

def _name(file):
    return file.basename

def _number(file):
    # sql-migrate applies names without a number last.
    digits = _digits(file)
    return (0 if digits else 1, int(digits or "0"), file.basename)

def _digits(file):
    digits = ""
    for character in file.basename.elems():
        if not character.isdigit():
            break
        digits += character
    return digits
