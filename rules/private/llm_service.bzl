"""`llm_service`: a language model behind an OpenAI-compatible endpoint."""

load(":executable_service.bzl", "executable_service")
load(":package_program.bzl", "package_program")
load(":readiness.bzl", "http_ready")

# Of what clients append the API's paths to; by it the Python manager tells a language model from other HTTP services.
_URL = "http://$(host):$(port)/v1"

def llm_service(name, *, recording = None, **kwargs):
    """A language model for a test: recorded answers of a real one, replayed exactly; or a small one that runs here.

    ```python
    llm_service(name = "assistant", recording = "answers.jsonl")
    llm_service(name = "small_model")
    real_service_test(
        name = "summary_test",
        srcs = ["summary_test.py"],
        env = {"OPENAI_BASE_URL": "$(url :assistant)", "OPENAI_API_KEY": "unused"},
        services = [":assistant"],
    )
    ```

    A request that was not recorded is refused with a message that shows how it differs from the nearest one. To record,
    `bazel run :assistant.record -- --upstream URL --key-env NAME`; see docs/external.md.

    Without a recording it is SmolLM2-135M-Instruct on the processor: 130 MB to download, 0.3 s to start, some 60 tokens a
    second. It is for code that needs some model to answer: its answers are real, and often wrong.

    Args:
      name: Name of the target, and of the service unless `service_name` says another.
      recording: The file of recorded answers (JSON lines), in this package. Default: the small model.
      **kwargs: As for `executable_service`: `service_name`, `ready_timeout_s`, `tags`, `visibility` and others.
    """
    served = {
        "ready": http_ready("/health"),
        "url": _URL,
    }
    if recording == None:
        executable_service(
            name = name,
            args = ["--port", "$(port)"],
            binary = Label("//services:llm_model"),
            **(served | kwargs)
        )
        return
    file = native.package_relative_label(recording)
    package_program(
        name = name + ".record",
        module = "programs.llm_record",
        options = ["--recording", "%s/%s" % (file.package, file.name) if file.package else file.name],
        tags = ["manual"],
        testonly = kwargs.get("testonly", True),
        visibility = kwargs.get("visibility"),
    )
    executable_service(
        name = name,
        args = ["--recording", "$(rootpath %s)" % recording, "--port", "$(port)"],
        binary = Label("//services:llm_replay"),
        data = [recording],
        **(served | kwargs)
    )
