"""What makes the schema of a service, as lines of its declaration: the project's program, or files of SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from realservices.cli.proposal.sql_folders import patterns_of

if TYPE_CHECKING:
    from realservices.cli.proposal.kind_hints import KindHints
    from realservices.cli.proposal.project_evidence import Evidence
    from realservices.cli.proposal.proposed_toml import Proposal


def add_schema_of(proposal: Proposal, found: Evidence, kind: str, hints: KindHints) -> None:
    """Add what makes the schema of a service whose files of SQL are known by words of its own.

    Args:
        proposal: It is added to its service's lines and to the questions.
        found: The project.
        kind: The service's.
        hints: What speaks for that kind.
    """
    patterns = patterns_of(found.root, hints.sql_folders, hints.sql_words)
    if proposal.migrated == kind:
        add_migrator(proposal, found, kind, hints)
    elif patterns:
        proposal.services[kind].append(f"{hints.schema_key} = {json.dumps(patterns[:1])}")
        if patterns[1:]:
            proposal.questions.append(f"SQL is in {', '.join(patterns[1:])}, too: take what makes the tests' schema")
    else:
        ask_for_schema(proposal, hints)


def add_migrator(proposal: Proposal, found: Evidence, kind: str, hints: KindHints) -> None:
    """Have the project's program make the schema."""
    migrator = found.migrator
    assert migrator
    command, inputs = json.dumps(migrator.command), json.dumps(migrator.inputs)
    proposal.services[kind] += [f"migrate = [{command}]", f"inputs = {inputs}"]
    if migrator.home:
        proposal.questions.append(
            f"{migrator.command[-1]!r}: a migrator has a HOME of its own: where the tool looks there for its "
            f"{migrator.home}, name their place in migrate_env (docs/migrators.md)"
        )
    if migrator.where:
        proposal.questions.append(
            f"{migrator.where} takes its URL from alembic.ini: have it read os.environ[{hints.given[0]!r}]"
        )


def ask_for_schema(proposal: Proposal, hints: KindHints) -> None:
    """Say that nothing was found that makes it."""
    proposal.questions.append(
        f"no migrations were found, so that the database of {hints.service!r} is empty: name files of SQL in the key "
        f'{hints.schema_key} ({hints.page}), or what makes the schema: migrate = ["package.module:function"], for '
        "instance, with a function that calls create_all (docs/migrators.md)"
    )


def add_migrators_environment(
    proposal: Proposal, found: Evidence, kind: str, hints: KindHints, apart: str = ""
) -> None:
    """Give the project's program the variables that the project has, under which it may look for the server.

    Args:
        proposal: With all variables.
        found: The project.
        kind: The service's.
        hints: What speaks for that kind.
        apart: A variable that a migrator has anyway.
    """
    assert found.migrator
    # A migrator has one database, which needs no name.
    named = f" {hints.service}"
    known = {
        name: value.replace(named, "", 1) for name, value in proposal.env.items() if named in value and name != apart
    }
    needed = {name: value for name, value in known.items() if not (name in hints.given and value == "$(url)")}
    own = [f"{name} = {json.dumps(value)}" for name, value in {**found.migrator.env, **needed}.items()]
    if own:
        proposal.services[kind].insert(1, f"migrate_env = {{ {', '.join(own)} }}")
    elif not known:
        proposal.questions.append(
            f"the migrator gets {hints.migrators_names}; where it reads other names, add migrate_env "
            "(docs/migrators.md)"
        )
    lacking = [name for name, each in found.variables.items() if each.is_required and name not in proposal.env]
    if lacking:
        proposal.questions.append(
            f"code wants {', '.join(lacking)}, and a migrator has nothing of your shell's environment: where it "
            "imports that code, name them in migrate_env, with values for tests (docs/migrators.md)"
        )
