"""The adapter: the only file that touches `xllamacpp` (llama.cpp's own server, in-process), which changes monthly.

What is set here was read off version 2026.10.11549; tests/local/test_xllama.py checks it against the installed one.
Imported by the engine only: the import itself needs a recent CPU (see `encke.local.cpu`).
"""

from __future__ import annotations

import math
import os
from typing import Any

import xllamacpp

from encke.local.gguf import has_pooling
from encke.local.settings import EngineSettings

ALIAS = "local"
_WARNINGS = 2  # llama.cpp's verbosity: 1 errors, 2 warnings, 3 information (several lines per call), 5 with prompts
# Between two batches other calls get their token and a client that left is noticed; on two cores 256 tokens take about
# 2 s (with the default, 2048, one long prompt stops all other answers for nearly 20 s).
_BATCH_TOKENS = 256
_PROMPT_CACHE_MIB = 256  # the default is 8192
_CGROUP_QUOTA = "/sys/fs/cgroup/cpu.max"


def serve(settings: EngineSettings) -> Any:
    """Load the model and serve it, in threads of the library, until the returned object is dropped.

    Blocks, with Python's lock held, until the model is loaded. Raises RuntimeError when it cannot be.
    """
    return xllamacpp.Server(parameters(settings))


def parameters(settings: EngineSettings) -> Any:
    """The library's parameters for these settings: reachable by socket and key only, everything unneeded off."""
    params = xllamacpp.CommonParams()
    params.model.path = settings.model
    params.model_alias = {ALIAS}
    params.hostnames = [settings.socket]  # a name that ends in ".sock" is a Unix socket
    params.api_keys = [settings.api_key]
    params.n_parallel = settings.slots
    params.n_ctx = settings.context * settings.slots
    params.n_batch = params.n_ubatch = _BATCH_TOKENS
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.cpuparams.n_threads = threads(settings.threads)
    params.verbosity = _WARNINGS
    params.embedding = True  # vectors too; answers cost what they cost without it
    if not has_pooling(settings.model):
        # A chat model's last token has seen all others, and long texts may come in batches (as for no other pooling).
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_LAST
    params.ctx_shift = False  # a full context ends the answer ("length"), and forgets nothing silently
    params.prefill_assistant = False  # as OpenAI: an answer is a new message, even after one of the assistant
    params.offline = True
    params.ui = params.endpoint_slots = params.endpoint_metrics = params.endpoint_props = False
    return params


def threads(wanted: int) -> int:
    """How many threads compute: as wanted; else what a container allows; else -1, llama.cpp's choice (real cores)."""
    if wanted:
        return wanted
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    try:
        with open(_CGROUP_QUOTA) as file:
            quota, period = file.read().split()
        if quota != "max":
            allowed = min(allowed, max(1, math.floor(int(quota) / int(period))))
    except (OSError, ValueError):
        pass
    return allowed if allowed < (os.cpu_count() or 1) else -1
