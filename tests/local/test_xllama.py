from __future__ import annotations

import importlib.metadata
import os
import struct
from typing import Any

import msgspec
import pytest

from encke.local.settings import EngineSettings

pytest.importorskip("xllamacpp")
xllama: Any = pytest.importorskip("encke.local.xllama")

SETTINGS = EngineSettings(model="m.gguf", socket="/run/e.sock", api_key="k", log="l", context=100, slots=3, threads=2)


def test_the_installed_library_is_the_pinned_one() -> None:
    """The adapter was read off one version; another one is a reason to look again."""
    requires = importlib.metadata.requires("encke") or []
    pins = [line for line in requires if line.startswith("xllamacpp==")]
    assert pins and pins[0].split(";")[0].strip() == f"xllamacpp=={importlib.metadata.version('xllamacpp')}"


def test_the_library_takes_every_parameter() -> None:
    """Each one is read back from the library's own object; an unknown name would have raised."""
    params = xllama.parameters(SETTINGS)
    assert params.model.path == "m.gguf"
    assert params.model_alias == {"local"}
    assert params.hostnames == ["/run/e.sock"]
    assert params.api_keys == ["k"]
    assert (params.n_ctx, params.n_parallel, params.cpuparams.n_threads) == (300, 3, 2)
    assert (params.n_batch, params.n_ubatch) == (256, 256)
    assert not (params.ui or params.endpoint_slots or params.endpoint_metrics or params.endpoint_props)
    assert not (params.ctx_shift or params.prefill_assistant)
    assert params.embedding and params.pooling_type == xllama.xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_LAST


def test_a_model_of_embeddings_keeps_its_own_way(tmp_path: Any) -> None:
    """What its file says of pooling is what the library shall do."""
    path = tmp_path / "e.gguf"
    key = b"bert.pooling_type"
    path.write_bytes(struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, len(key)) + key + struct.pack("<II", 4, 1))
    params = xllama.parameters(msgspec.structs.replace(SETTINGS, model=str(path)))
    pooling = xllama.xllamacpp.llama_pooling_type
    assert params.embedding and params.pooling_type == pooling.LLAMA_POOLING_TYPE_UNSPECIFIED


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", -1), ("50000 100000", 1), ("100000 100000", 1), ("nonsense", -1), ("99900000 100000", -1)],
)
def test_threads_respect_a_containers_quota(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, quota: str, expected: int
) -> None:
    """Eight threads on the share of one core would spin against each other; without a quota llama.cpp chooses."""
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(xllama, "_CGROUP_QUOTA", str(tmp_path / "cpu.max"))
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    assert xllama.threads(0) == expected
    assert xllama.threads(5) == 5


def test_threads_respect_the_affinity(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process bound to two of eight cores computes with two threads."""
    monkeypatch.setattr(xllama, "_CGROUP_QUOTA", str(tmp_path / "none"))
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    assert xllama.threads(0) == 2
