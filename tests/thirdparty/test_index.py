"""Wheels by Bazel's downloader, from an index that the user names: a mirror on disk."""

from __future__ import annotations

from pathlib import Path

from tests.scratch import HOST_CPU, Index, Workspace

REPOSITORY = "@realservices_python_3_12"
# pip is not asked: it could not reach anything.
WITHOUT_PIPS_INDEX = ["--repo_env=PIP_NO_INDEX=1", "--repo_env=PIP_FIND_LINKS="]


def _page(tmp_path: Path, name: str, *files: tuple[str, str]) -> None:
    links = [f'<a href="../../index/{file}#sha256={sha256}">{file}</a>' for file, sha256 in files]
    page = tmp_path / "simple" / name / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("<html>" + "".join(links) + "</html>", encoding="utf-8")


def _module(workspace: Workspace, index_url: str) -> None:
    workspace.module(
        f'realservices.python(index_url = "{index_url}", lock = "//:indexed.lock")\n'
        'use_repo(realservices, "realservices_python_3_12")'
    )


def test_bazel_downloads_the_pinned_wheels_that_fit(workspace: Workspace, index: Index, tmp_path: Path) -> None:
    pure = index.add("pure_dist", "1.0", {"pure.py": ""})
    tags = [f"cp312-cp312-manylinux_2_17_{HOST_CPU}", f"cp311-cp311-manylinux_2_17_{HOST_CPU}"]
    compiled = [index.add("compiled", "2.0", {"compiled.py": tag}, tag=tag) for tag in tags]
    _page(tmp_path, "pure-dist", ("pure_dist-1.0-py3-none-any.whl", pure))
    _page(tmp_path, "compiled", *((f"compiled-2.0-{tag}.whl", one) for tag, one in zip(tags, compiled, strict=True)))
    # Only what is downloaded has to be there.
    (index.directory / f"compiled-2.0-{tags[1]}.whl").unlink()
    hashes = " ".join(f"--hash=sha256:{one}" for one in compiled)
    workspace.write("indexed.lock", f"pure_dist==1.0 --hash=sha256:{pure}\ncompiled==2.0 {hashes}\n")
    _module(workspace, f"file://{tmp_path}/simple")
    libraries = workspace.output_of("query", f"kind(py_library, {REPOSITORY}//...)", *WITHOUT_PIPS_INDEX)
    assert [line.split(":")[1] for line in libraries.split()] == ["compiled", "pure_dist"]
    build = workspace.output_of("query", f"{REPOSITORY}//:BUILD.bazel", "--output=location").split(":")[0]
    assert not (Path(build).parent / "wheels").exists()


def test_an_index_without_the_pinned_file_is_named(workspace: Workspace, index: Index, tmp_path: Path) -> None:
    pure = index.add("pure_dist", "1.0", {"pure.py": ""})
    _page(tmp_path, "pure-dist", ("pure_dist-1.0-py3-none-any.whl", pure))
    workspace.write("indexed.lock", f"pure_dist==1.0 --hash=sha256:{'0' * 64}\n")
    _module(workspace, f"file://{tmp_path}/simple")
    message = workspace.error_of("query", f"{REPOSITORY}//...", *WITHOUT_PIPS_INDEX)
    assert f"{tmp_path}/simple/pure-dist/ has no file of pure_dist with a pinned SHA-256 (000000000000)" in message
    assert "without index_url pip is asked" in message


def test_an_index_without_encryption_is_refused(workspace: Workspace) -> None:
    workspace.write("indexed.lock", f"pure_dist==1.0 --hash=sha256:{'0' * 64}\n")
    _module(workspace, "http://index.test/simple")
    message = workspace.error_of("query", f"{REPOSITORY}//...", *WITHOUT_PIPS_INDEX)
    assert (
        '@realservices_python_3_12: index_url is "http://index.test/simple"; expected https://… or file://….' in message
    )
