"""(f) What a test action reads: entries in its sandbox, and files and bytes for a remote worker."""

from __future__ import annotations

from pathlib import Path

from bench.action_inputs import Inputs, count_inputs, manifest_paths
from bench.measurements.setting import Setting
from bench.rows import Result, Row

LETTER = "f"
TITLE = "inputs of one test action"
_TARGETS = {
    "plain": "plain py_test that calls pytest",
    "without_services": "real_service_test without services",
    "with_services": "with PostgreSQL and Redis",
}


def measure(setting: Setting) -> Result:
    """Build the targets of (b) and count."""
    setting.bazel.build([f"//target:{name}" for name in _TARGETS])
    binaries = Path(setting.bazel.info("bazel-bin"))
    rows: list[Row] = []
    samples: dict[str, list[float]] = {}
    for name, shown in _TARGETS.items():
        manifest = binaries / f"target/{name}.runfiles_manifest"
        inputs = count_inputs(manifest_paths(manifest.read_text(encoding="utf-8").splitlines()))
        rows += _rows(shown, inputs)
        samples[f"{name}_entries"] = [inputs.entries]
        samples[f"{name}_files"] = [inputs.files]
        samples[f"{name}_bytes"] = [inputs.size_bytes]
    return Result(LETTER, TITLE, rows, samples)


def _rows(shown: str, inputs: Inputs) -> list[Row]:
    return [
        Row(f"{shown}: entries in its sandbox", [inputs.entries], ""),
        Row(f"{shown}: files", [inputs.files], ""),
        Row(f"{shown}: size", [inputs.size_bytes / (1 << 20)], "MB"),
    ]
