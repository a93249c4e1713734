"""A small language model on the processor, behind an OpenAI-compatible server: `llm_service` without a recording.

    python -m realservices.programs.llm_model --runtime .../xllamacpp --model FILE.gguf --port 8080

The server is llama.cpp's own, from the package xllamacpp: it runs in native threads, Python only waits for SIGTERM.
Answers are the same for the same request on the same kind of processor: nothing random unless the request asks for it,
one request at a time, and no state kept between requests (a reused prefix changes the order of sums, and so the text).
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

# A test action can count on one processor. A second thread gains a third on an idle machine; on a busy one the two wait
# for each other most of the time: 16 tokens took 5 s with two threads, 1.3 s with one.
_THREADS = 1
_CONTEXT_TOKENS = 2048
_ANSWER_MAX_TOKENS = 256
_SEED = 1
_ENDS = (signal.SIGTERM, signal.SIGINT)


def load_runtime(directory: Path) -> Any:
    """Import the runtime.

    Raises:
        SystemExit: This machine cannot load it.
    """
    sys.path.insert(0, str(directory.parent))
    try:
        import xllamacpp  # type: ignore[import-not-found] # noqa: PLC0415 - its place is only known now
    except ImportError as error:
        sys.exit(
            f"llm_model: cannot load the runtime in {directory}: {error}. On Linux it needs libgomp.so.1 and libstdc++ "
            "(Debian: libgomp1, libstdc++6); a test that must run without them can use recorded answers: "
            "llm_service(recording = ...)"
        )
    return xllamacpp


def parameters(runtime: Any, *, model: Path, host: str, port: int) -> Any:
    """Return what the server is to do, as the runtime wants it."""
    chosen = runtime.CommonParams()
    chosen.model.path = str(model)
    chosen.model_alias = {model.stem}
    chosen.hostnames, chosen.port = [host], port
    chosen.n_ctx, chosen.n_parallel, chosen.n_predict = _CONTEXT_TOKENS, 1, _ANSWER_MAX_TOKENS
    chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = _THREADS
    chosen.n_gpu_layers, chosen.n_threads_http = 0, 4
    chosen.sampling.seed, chosen.sampling.temp = _SEED, 0.0
    chosen.cache_prompt, chosen.cache_ram_mib = False, 0
    chosen.fit_params = chosen.warmup = chosen.ui = False
    chosen.offline = chosen.use_jinja = True
    chosen.verbosity = 1
    return chosen


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="llm_model", description="Serves a small language model on the processor.")
    parser.add_argument("--runtime", type=Path, required=True, help="the directory of the package xllamacpp")
    parser.add_argument("--model", type=Path, required=True, help="the model's weights (.gguf)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port; 0, the default, takes a free one and prints it")
    arguments = parser.parse_args()
    if not arguments.model.is_file():
        parser.error(f"--model: there is no file {arguments.model}")
    runtime = load_runtime(arguments.runtime)
    # Before there are threads, so that none of them takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    chosen = parameters(
        runtime, model=arguments.model, host=arguments.host, port=arguments.port or _free_port(arguments.host)
    )
    server = runtime.Server(chosen)
    print(f"llm_model is listening on {server.listening_address}/v1", flush=True)
    signal.sigwait(_ENDS)
    # The native threads end with the process; taking the model apart first would only take time.
    os._exit(0)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
