"""The Python toolchain's interpreter, for build actions and for the stub of a test.

It is asked for through an attribute rather than through `toolchains`, so that one rule can have the interpreter of
the machine that builds (`cfg = "exec"`) and of the one that runs the test.
"""

# Nothing from outside is imported, no site-packages, and no .pyc file is written next to a source.
ISOLATED_FLAGS = ["-I", "-S", "-B"]

def interpreter_attr(cfg):
    """Returns the private attribute that `python_interpreter` reads.

    Args:
      cfg: "exec" for a build action, "target" for a test at run time.
    """
    return attr.label(
        default = "@rules_python//python:current_py_toolchain",
        cfg = cfg,
        doc = "The Python toolchain's runtime.",
    )

def python_interpreter(target):
    """Returns the Python 3 interpreter of a toolchain.

    Args:
      target: the value of an `interpreter_attr` attribute.

    Returns:
      struct: `file`, a File, or None if the toolchain names a `path` on the machine; `path`, a string or None;
      `files`, a depset of what has to be there to run it; `executable`, whichever of the first two there is.
    """
    runtime = target[platform_common.ToolchainInfo].py3_runtime
    if runtime.interpreter:
        return struct(
            executable = runtime.interpreter,
            file = runtime.interpreter,
            files = depset([runtime.interpreter], transitive = [runtime.files]),
            path = None,
        )
    return struct(
        executable = runtime.interpreter_path,
        file = None,
        files = depset(),
        path = runtime.interpreter_path,
    )
