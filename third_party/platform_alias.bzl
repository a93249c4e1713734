"""Picks the repository of a service binary for the platform that a test runs on."""

load(":platforms.bzl", "PLATFORMS")

def platform_alias(*, name, kind, target):
    """Declares an alias to the target platform's binary.

    Args:
        name: name of the alias.
        kind: the service's kind, which is part of the repositories' names.
        target: the repositories' target.
    """
    native.alias(
        name = name,
        actual = select(
            {
                "//third_party:" + platform: "@realservices_{}_{}//:{}".format(kind, platform, target)
                for platform in PLATFORMS
            },
            no_match_error = "no {kind} is pinned for this platform, only for {known}. Bring one: {flag}=//your:target".format(
                flag = "--@rules_realservices//third_party/{}:{}".format(kind, target),
                kind = kind,
                known = ", ".join(PLATFORMS),
            ),
        ),
    )
