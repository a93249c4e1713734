"""The template that the launcher's tests stand on: Bazel's output under Bazel, else built once per session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.services.template_tool import TemplateBuild

_SCHEMA = Path(__file__).absolute().parent / "schema"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with db.tar and db.json: table `items` with one row, 'seeded'."""
    directory = tmp_path_factory.mktemp("template")
    outputs = os.environ.get("POSTGRES_TEMPLATE")
    if outputs:
        for path in outputs.split():
            (directory / Path(path).name).symlink_to(Path(os.environ["RUNFILES_DIR"]) / path)
        return directory
    build = TemplateBuild(directory)
    for path in sorted(_SCHEMA.glob("0*.sql")):
        build.migration(path.name, path.read_text("utf-8"))
    done = build.seed("seed.sql", (_SCHEMA / "seed.sql").read_text("utf-8")).run()
    assert done.returncode == 0, done.stderr
    return directory
