"""The pinned runtime of language models: which wheel and which hashes."""

LLM_RUNTIME = struct(
    # Name of the repositories (`realservices_llm_runtime_<platform>`) and of the extension's tag.
    name = "llm_runtime",
    package = "xllamacpp",
    version = "2026.10.11549",
    # For the stable ABI: one wheel per platform serves every CPython from 3.10 on.
    sha256 = {
        "linux_arm64": "e2a3e79e775515de4ad197e667f874070446ef9ac9cf2044bc9866bc4c72289e",
        "linux_x86_64": "c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261",
        "macos_arm64": "4ecda27a308b2403aa13c9d04b270befab95edc556c24ed00b2f8a98bd7f6781",
        "macos_x86_64": "1f2a08052bb653659bcf1bedbbaf86b97f41dd46aa2763d596d7f27c5d89a689",
    },
    wheel_root = "",
    keep = ["xllamacpp/*"],
    drop = ["*.pyi"],
    target = "runtime",
    # What the repository shows: the package's directory, thus one symlink in a sandbox.
    output = "xllamacpp",
    programs = ["__init__.py"],
    libraries = [],
    replaced_output = "xllamacpp",
)
