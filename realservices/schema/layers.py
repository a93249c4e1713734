"""Where a long list of migrations is cut into templates that begin from each other.

rules/private/layers.bzl cuts likewise. What a cut costs, an archive to write and to unpack, is what 250 small files
cost; so a shorter list is built at once.
"""

from __future__ import annotations

FILES_PER_LAYER = 250


def last_cut(files: int, *, has_seeds: bool) -> int:
    """Return how many of so many migrations the last template has that is made to begin from; 0: there is none.

    Args:
        files: Migrations in all.
        has_seeds: Whether seeds follow; they are applied anew after each change of a migration.
    """
    if has_seeds and files > FILES_PER_LAYER:
        return files
    return (files - 1) // FILES_PER_LAYER * FILES_PER_LAYER if files else 0
