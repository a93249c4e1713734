"""The platforms that the ruleset knows, by the names used in repositories, hashes and config_settings."""

PLATFORMS = [
    "linux_x86_64",
    "linux_arm64",
    "macos_arm64",
    "macos_x86_64",
]
