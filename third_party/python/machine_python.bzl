"""Toolchains that run whatever `python3` is on PATH when a test starts: no file of them knows its version."""

# rules_python, rules_python before 1.0, and Bazel 7 itself.
_INTERPRETERS = [
    "runtime_env_toolchain_interpreter.sh",
    "autodetecting_toolchain_interpreter.sh",
    "py3wrapper.sh",
]

def is_machine_python(runtime):
    """Returns whether a `py3_runtime` runs the machine's own python3.

    Its `interpreter_version_info` is then that of rules_python's flag `python_version`, which decides on nothing.

    Args:
        runtime: PyRuntimeInfo, or a struct with its fields.
    """
    return bool(runtime.interpreter) and runtime.interpreter.basename in _INTERPRETERS
