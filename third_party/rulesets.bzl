"""The rulesets that ours needs in WORKSPACE mode. With bzlmod MODULE.bazel names them."""

RULESETS = {
    "bazel_skylib": {
        "sha256": "bc283cdfcd526a52c3201279cda4bc298652efa898b10b4db0837dc51652756f",
        "urls": ["https://github.com/bazelbuild/bazel-skylib/releases/download/1.7.1/bazel-skylib-1.7.1.tar.gz"],
    },
    "platforms": {
        "sha256": "218efe8ee736d26a3572663b374a253c012b716d8af0c07e842e82f238a0a7ee",
        "urls": ["https://github.com/bazelbuild/platforms/releases/download/0.0.10/platforms-0.0.10.tar.gz"],
    },
    # Older than MODULE.bazel's: the last line of releases whose WORKSPACE set-up is one macro.
    "rules_python": {
        "sha256": "690e0141724abb568267e003c7b6d9a54925df40c275a870a4d934161dc9dd53",
        "strip_prefix": "rules_python-0.40.0",
        "urls": ["https://github.com/bazelbuild/rules_python/releases/download/0.40.0/rules_python-0.40.0.tar.gz"],
    },
}
