"""What the configurations of kinds with a template have in common, in a manifest's entry of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realservices.sources.built_templates import ARCHIVE, BASE, INFO, template
from realservices.sources.declared_kind import account, from_root, texts

if TYPE_CHECKING:
    import contextlib

    from realservices.sources.declarations import Declaration
    from realservices.sources.recipe import Recipe


def template_config(
    declaration: Declaration, recipe: Recipe, taken: tuple[str, ...], stack: contextlib.ExitStack
) -> dict[str, Any]:
    """Return where the template is, which is made if there is none, and what the server is given beside it.

    Args:
        declaration: The service's.
        recipe: How to make the template.
        taken: Names of users and databases that the server has by itself.
        stack: Ends when the service does not need the files any more.

    Raises:
        TemplateError: The template cannot be made.
        SettingError: A name is none.
    """
    user, database = account(declaration, taken)
    directory = stack.enter_context(template(recipe, declaration.name))
    base = {"template_base": from_root(directory / BASE)} if (directory / BASE).exists() else {}
    return {
        "template": from_root(directory / ARCHIVE),
        **base,
        "template_info": from_root(directory / INFO),
        "user": user,
        "database": database,
        "settings": texts(declaration.values.get("settings", {})),
    }
