"""What kinds with a template have in common of how a project declares one: its recipe, and its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realservices.sources.built_templates import ARCHIVE, BASE, INFO, template
from realservices.sources.declared_kind import DeclaredKind, from_root, texts
from realservices.sources.recipe import recipe_of, settings_options

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Mapping
    from pathlib import Path

    from realservices.sources.declarations import Declaration
    from realservices.sources.recipe import Recipe


class TemplatedKind(DeclaredKind):
    """How a kind is declared whose data directory is built once.

    Attributes:
        program_key: What the configuration calls the program or the distribution.
        files: The template tool's option for each key of a declaration that names files.
        settings: Its option for each key with settings.
    """

    has_template = True
    program_key = "server"
    files: Mapping[str, str] = {}
    settings: Mapping[str, str] = {"settings": "--setting"}

    def recipe_with(self, program: Path, declaration: Declaration) -> Recipe:
        """Return how a template is made with a server."""
        user, database = self.account(declaration)
        arguments = ["--server", str(program), "--database", database, "--user", user]
        for key, option in self.settings.items():
            arguments += settings_options(declaration, key, option)
        return recipe_of(declaration, arguments, self.files, program)

    def config(
        self, declaration: Declaration, declared: Mapping[str, Declaration], stack: contextlib.ExitStack
    ) -> dict[str, Any]:
        """Return the configuration of a manifest's entry, with the template, which is made if there is none."""
        program = self.find_program()
        user, database = self.account(declaration)
        directory = stack.enter_context(template(self.recipe_with(program, declaration), declaration.name))
        base = {"template_base": from_root(directory / BASE)} if (directory / BASE).exists() else {}
        return {
            self.program_key: from_root(program),
            "template": from_root(directory / ARCHIVE),
            **base,
            "template_info": from_root(directory / INFO),
            "user": user,
            "database": database,
            "settings": texts(declaration.values.get("settings", {})),
            **self.more_config(declaration),
        }

    def more_config(self, declaration: Declaration) -> dict[str, Any]:
        """Return what else the configuration has."""
        return {}
