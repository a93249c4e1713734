"""The template that the launcher's tests stand on: a table `items` with one row, 'seeded'.

Under Bazel it is the output of a postgres_service, whose files POSTGRES_TEMPLATE names; else it is built here.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.services.template_tool import TemplateBuild

_SCHEMA = Path(__file__).absolute().parent / "schema"


def make_template(directory: Path) -> Path:
    """Put db.tar and db.json into ``directory`` and return it."""
    outputs = os.environ.get("POSTGRES_TEMPLATE")
    if outputs:
        for output in outputs.split():
            (directory / Path(output).name).symlink_to(Path(os.environ["RUNFILES_DIR"]) / output)
        return directory
    build = TemplateBuild(directory)
    for path in sorted(_SCHEMA.glob("0*.sql")):
        build.migration(path.name, path.read_text("utf-8"))
    done = build.seed("seed.sql", (_SCHEMA / "seed.sql").read_text("utf-8")).run()
    assert done.returncode == 0, done.stderr
    return directory
