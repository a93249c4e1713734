"""A small language model on the processor, behind an OpenAI-compatible server: `llm_service` without a recording.

    python -m realservices.programs.llm_model --runtime .../xllamacpp --model FILE.gguf --port 8080

The server is llama.cpp's own, from the package xllamacpp, in native threads. It answers every web page, so it listens
on a port of its own, with a key that only this program has; requests are passed on to it where the caller is allowed.
Answers are the same for the same request on the same kind of processor: nothing random unless the request asks for it,
one request at a time, and no state kept between requests (a reused prefix changes the order of sums, and so the text).
"""

from __future__ import annotations

import argparse
import functools
import os
import secrets
import signal
import socket
import sys
import urllib.request
from pathlib import Path
from typing import Any

from realservices.programs.allowed_callers import add_options
from realservices.programs.llm_http import serve
from realservices.programs.llm_record import RecordHandler, Upstream

# A test action can count on one processor. A second thread gains a third on an idle machine; on a busy one the two wait
# for each other most of the time: 16 tokens took 5 s with two threads, 1.3 s with one.
_THREADS = 1
_CONTEXT_TOKENS = 2048
_ANSWER_MAX_TOKENS = 256
_SEED = 1
_HOST = "127.0.0.1"
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


def parameters(runtime: Any, *, model: Path, key: str) -> Any:
    """Return what the server is to do, as the runtime wants it."""
    chosen = runtime.CommonParams()
    chosen.model.path = str(model)
    chosen.model_alias = {model.stem}
    chosen.hostnames, chosen.port, chosen.api_keys = [_HOST], _free_port(), [key]
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
    add_options(parser)
    arguments = parser.parse_args()
    if not arguments.model.is_file():
        parser.error(f"--model: there is no file {arguments.model}")
    runtime = load_runtime(arguments.runtime)
    # Before there are threads, so that none of them takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    key = secrets.token_hex()
    native = runtime.Server(parameters(runtime, model=arguments.model, key=key))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
    upstream = Upstream(f"{native.listening_address}/v1", key, None)
    try:
        serve("llm_model", functools.partial(RecordHandler, upstream=upstream), arguments)
    except SystemExit:
        # The native threads end with the process; taking the model apart first would only take time.
        os._exit(0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
