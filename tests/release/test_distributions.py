"""What is published: the same bytes wherever it is built, complete, and as the registries want it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from release import distributions
from release.errors import ReleaseError
from release.main import main
from tests.release.conftest import Repository
from tests.scratch import ROOT


def _digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def _build(repository: Repository, output: Path) -> None:
    assert main(["build", f"--output={output}"], repository.directory) == 0


def test_distributions_are_the_same_bytes_elsewhere_and_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Repository(tmp_path / "first")
    _build(first, tmp_path / "out-1")

    mask = os.umask(0o077)
    try:
        later = Repository(tmp_path / "somewhere" / "else", date="2031-05-06T07:08:09Z")
    finally:
        os.umask(mask)
    for number, path in enumerate(sorted(later.directory.rglob("*"))):
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number), follow_symlinks=False)
    # What git does not have does not get in, and nobody's clock counts.
    later.write("realservices/secret.py", "PASSWORD = 'mine'\n")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    _build(later, tmp_path / "out-2")

    digests = _digests(tmp_path / "out-1")
    assert digests == _digests(tmp_path / "out-2")
    wheel, source = sorted(digests, key=lambda name: name.endswith(".tar.gz"))
    assert wheel.endswith("-py3-none-any.whl")

    names = set(zipfile.ZipFile(tmp_path / "out-1" / wheel).namelist())
    assert names >= {"realservices/__init__.py", "realservices/fixtures/plugin.py"}
    assert {name.split("/")[0] for name in names} == {"realservices", wheel.replace("-py3-none-any.whl", ".dist-info")}
    with tarfile.open(tmp_path / "out-1" / source) as archive:
        members = {name.partition("/")[2] for name in archive.getnames()}
    assert members >= {"CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "docs/pytest.md", "pyproject.toml"}
    assert not any(name.startswith(("tests", "rules", "third_party")) for name in members)


def test_a_directory_with_files_is_no_place_for_them(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ReleaseError, match="is not empty: what is built goes to a directory of its own"):
        distributions.build(repository.directory, "HEAD", repository.directory, "python3")


def test_a_failed_step_is_shown_with_its_last_lines(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"git .* archive .* failed \(exit code 128\):\n  fatal: .*no-such-revision"):
        distributions.build(repository.directory, "no-such-revision", tmp_path / "out", "python3")


def test_the_archive_for_bazel_is_as_the_template_says(repository: Repository) -> None:
    repository.give_it_an_owner()
    assert main(["version", "7.8.9", "--date=2030-01-02"], repository.directory) == 0
    archives = []
    for _ in range(2):
        done = subprocess.run(
            [".github/workflows/release_prep.sh", "v7.8.9"],
            cwd=repository.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        archives.append((repository.directory / "rules_realservices-v7.8.9.tar.gz").read_bytes())
    assert archives[0] == archives[1]
    assert 'bazel_dep(name = "rules_realservices", version = "7.8.9")' in done.stdout
    assert "### Added" in done.stdout

    template = json.loads(repository.read(".bcr/source.template.json"))
    values = {"{OWNER}": "example", "{REPO}": "rules_realservices", "{TAG}": "v7.8.9", "{VERSION}": "7.8.9"}

    def filled(text: str) -> str:
        return re.sub(r"{\w+}", lambda found: values[found[0]], text)

    archive = repository.directory / filled(template["url"]).rpartition("/")[2]
    with tarfile.open(archive) as members:
        module = members.extractfile(filled(template["strip_prefix"]) + "/MODULE.bazel")
        assert module is not None
        assert b'version = "7.8.9"' in module.read()


def test_the_registry_tests_the_example_on_every_bazel_that_users_run() -> None:
    presubmit = (ROOT / ".bcr" / "presubmit.yml").read_text(encoding="utf-8")
    (path,) = re.findall(r'module_path: "(.*)"', presubmit)
    assert (ROOT / path / "MODULE.bazel").exists()
    assert 'bazel: ["7.x", "8.x", "9.x", "rolling"]' in presubmit
    metadata = json.loads((ROOT / ".bcr" / "metadata.template.json").read_text(encoding="utf-8"))
    assert (metadata["versions"], metadata["yanked_versions"]) == ([], {})
