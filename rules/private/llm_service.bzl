"""`llm_service`: a language model behind an OpenAI-compatible endpoint."""

load(":executable_service.bzl", "executable_service")
load(":misuse.bzl", "misuse")
load(":package_program.bzl", "package_program")
load(":readiness.bzl", "http_ready")

# Of what clients append the API's paths to; by it the Python manager tells a language model from other HTTP services.
_URL = "http://$(host):$(port)/v1"

def llm_service(name, *, recording = None, **kwargs):
    """A language model for a test: recorded answers of a real one, replayed exactly.

    ```python
    llm_service(name = "assistant", recording = "answers.jsonl")
    real_service_test(
        name = "summary_test",
        srcs = ["summary_test.py"],
        env = {"OPENAI_BASE_URL": "$(url :assistant)", "OPENAI_API_KEY": "unused"},
        services = [":assistant"],
    )
    ```

    A request that was not recorded is refused with a message that shows how it differs from the nearest one. To record,
    `bazel run :assistant.record -- --upstream URL --key-env NAME`; see docs/external.md.

    Args:
      name: Name of the target, and of the service unless `service_name` says another.
      recording: The file of recorded answers (JSON lines), in this package.
      **kwargs: As for `executable_service`: `service_name`, `ready_timeout_s`, `tags`, `visibility`, ….
    """
    if type(recording) != "string" or not recording.endswith(".jsonl"):
        misuse(
            native.package_relative_label(name),
            "recording",
            repr(recording),
            "a file of recorded answers, which ends in .jsonl; `bazel run :%s.record` makes it, once it is named here" % name,
        )
    file = native.package_relative_label(recording)
    package_program(
        name = name + ".record",
        module = "llm_record",
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
        ready = http_ready("/health"),
        url = _URL,
        **kwargs
    )
