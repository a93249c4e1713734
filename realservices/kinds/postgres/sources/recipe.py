"""What a PostgreSQL template is made from: the template tool's command, its layers, and a digest of all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from realservices.contract.errors import TemplateError
from realservices.kinds.postgres.kind import KIND
from realservices.kinds.postgres.sources.arranged import arranged
from realservices.kinds.postgres.sources.included import Included
from realservices.sources.inputs import input_files
from realservices.sources.recipe import (
    Layers,
    Recipe,
    file_digest,
    hash_of,
    joined,
    made_by,
    migrators_of,
    options,
    settings_options,
)

if TYPE_CHECKING:
    from realservices.sources.declarations import Declaration

_LOCALE = {"locale": "--locale", "locale_provider": "--locale-provider"}


def postgres_recipe(declaration: Declaration, distribution: Path, user: str, database: str) -> Recipe:
    """Return the recipe of a PostgreSQL template.

    Raises:
        SettingError: A file is not there, or what psql includes cannot be told.
        TemplateError: Files are a tool's, and not what the layout says.
    """
    layout = declaration.values.get("layout", "")
    common = _common(declaration, distribution, user, database)
    migrations, seeds = map(declaration.named_files, ("migrations", "seeds"))
    included = Included(declaration)
    try:
        scripts = arranged(layout, migrations, seeds, included)
    except TemplateError as error:
        raise TemplateError(f"{declaration.where}: {error}") from None
    contents = {path: _content(path, included) for _, path in (*migrations, *seeds)}
    base = postgres_recipe(declaration.base, distribution, user, database) if declaration.base else None
    makers = made_by(distribution / "bin" / "postgres", declaration.kind)
    digest = hash_of([common, _inputs(declaration), makers, base.digest if base else ""])
    digests = [digest]
    ordered = [script for script in scripts if script.kind == "migration"]
    for script in ordered:
        digests.append(digest := hash_of([digest, script.shown, contents[script.path]]))
    migrators, made_of = migrators_of(declaration)
    last = [*migrators, *options("--seed", joined(seeds))]
    if last:
        digest = hash_of([digest, migrators, made_of, [(shown, contents[path]) for shown, path in seeds]])
    if layout == "sqitch":
        # Its plan names all scripts, so that it cannot be applied in parts.
        last = [*options("--migration", joined(migrations)), *last]
        digest, digests, ordered = hash_of([digest, [contents[path] for _, path in migrations]]), digests[:1], []
    files = joined([(script.shown, script.path) for script in ordered])
    cluster = _cluster(declaration, distribution)
    empty = Recipe([*_tool(declaration), *cluster], hash_of([cluster, makers]), declaration.root)
    layers = Layers(common, files, last, digests, declaration.root, base or empty)
    return Recipe(layers.last_command(0), digest, declaration.root, layers)


def _common(declaration: Declaration, distribution: Path, user: str, database: str) -> list[str]:
    """Return the command without files."""
    layout = declaration.values.get("layout", "")
    common = [*_tool(declaration), *_cluster(declaration, distribution), "--database", database, "--user", user]
    for extension in declaration.values.get("extensions", ()):
        common += ["--extension", extension]
    return [*common, *settings_options(declaration, "settings", "--setting"), *(("--layout", layout) if layout else ())]


def _tool(declaration: Declaration) -> list[str]:
    return ["build", KIND.name, "template", "--progress", "--label", declaration.where]


def _cluster(declaration: Declaration, distribution: Path) -> list[str]:
    """Return the options that say what initdb makes: all that the empty template depends on."""
    cluster = ["--distribution", str(distribution.absolute())]
    for key, option in _LOCALE.items():
        if key in declaration.values:
            cluster += [option, declaration.values[key]]
    return cluster


def _inputs(declaration: Declaration) -> list[str]:
    """Return digests of the files that the key `inputs` names, also of those in directories that it names."""
    return [file_digest(Path(path)) for path in input_files(declaration)]


def _content(path: str, included: Included) -> list[str]:
    """Return digests of a file and of what it includes."""
    return [file_digest(each) for each in (Path(path), *included.files(Path(path)))]
