"""The CPython version of a build: what the user chose, else what rules_python's configuration tells."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load(":machine_python.bzl", "is_machine_python")
load(":versions.bzl", "PYTHON_VERSIONS")

def _python_version_impl(ctx):
    if ctx.attr.chosen:
        return [config_common.FeatureFlagInfo(value = ctx.attr.chosen)]
    if is_machine_python(ctx.attr._toolchain[platform_common.ToolchainInfo].py3_runtime):
        return [config_common.FeatureFlagInfo(value = "machine")]
    flag = ctx.attr._flag
    version = flag[BuildSettingInfo].value if BuildSettingInfo in flag else flag[config_common.FeatureFlagInfo].value
    minor = ".".join((version or "").split(".")[:2])

    # Old rulesets and WORKSPACE builds have a placeholder here. Then the toolchain is most likely the autodetecting one, which runs
    # the machine's python3.
    return [config_common.FeatureFlagInfo(value = minor if minor in PYTHON_VERSIONS else "machine")]

python_version = rule(
    implementation = _python_version_impl,
    build_setting = config.string(flag = False),
    doc = "For config_settings: one of PYTHON_VERSIONS, or `machine`.",
    attrs = {
        "chosen": attr.string(doc = "From the extension's tag `python`; empty if it has none."),
        "_flag": attr.label(
            default = "@rules_python//python/config_settings:python_version",
            doc = "With bzlmod its default is the version of rules_python's default toolchain.",
        ),
        "_toolchain": attr.label(default = "@rules_python//python:current_py_toolchain", doc = "The Python toolchain's runtime."),
    },
)
