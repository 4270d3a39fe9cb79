"""`bench/where.py` and `bench/parts.py`: samples to parts to microseconds."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

where: Any = importlib.import_module("where")
parts: Any = importlib.import_module("parts")
rig: Any = importlib.import_module("rig")

SO = "/x/.venv/fast/17988eca__mypyc.cpython-311-x86_64-linux-gnu.so"
PARTS = [
    ("[kernel.kallsyms]", "tcp_sendmsg_locked", "kernel: network"),
    ("[kernel.kallsyms]", "do_epoll_wait", "kernel: waiting, wake-ups, scheduler"),
    ("[kernel.kallsyms]", "xyzzy", "kernel: the rest"),
    ("/usr/bin/python3.11", "_PyEval_EvalFrameDefault", "CPython: bytecode"),
    ("/opt/lib/libpython3.11.so.1.0", "_PyType_Lookup", "CPython: attributes and calls"),
    ("/x/lib-dynload/_struct.cpython-311.so", "s_pack", "CPython: modules in C"),
    ("/x/uvloop/loop.cpython-311-x86_64-linux-gnu.so", "uv__io_poll", "uvloop (libuv in it)"),
    ("/x/httptools/parser/parser.cpython-311.so", "llhttp__internal__run", "httptools (llhttp in it)"),
    ("/x/msgspec/_core.cpython-311.so", "json_skip", "msgspec"),
    ("/x/apsw/__init__.cpython-311.so", "sqlite3VdbeExec", "SQLite (apsw)"),
    ("/usr/lib/x86_64-linux-gnu/libc.so.6", "malloc", "libc"),
    ("/x/libstrange.so.1", "f", "libstrange.so.1"),
    (SO, "CPyDef_life___Desk___targets_of", "encke: calls/life"),
    (SO, "CPyDef_server___ServerConnection___write_stream", "encke: http/server"),
    (SO, "CPyPy_openai_chat___faults___read", "encke: dialects/openai_chat/faults"),
    (SO, "CPyDef_core___faults___Fault", "encke: core/faults"),
    (SO, "CPyDict_GetItem", "encke: mypyc's helpers"),
]


@pytest.mark.parametrize(("file", "function", "part"), PARTS)
def test_parts(file: str, function: str, part: str) -> None:
    """Each sample belongs to one part, ours to the file it was compiled from."""
    assert parts.part_of(file, function) == part


def test_lines_of_perf() -> None:
    """Process, function and file are read, whatever is in a function's name; other lines are not samples."""
    text = """\
     3151   7f5bc4a0 _PyObject_Malloc (/usr/bin/python3.11)
     3151 ffffffff81 [unknown] ([kernel.kallsyms])
     3152   7f5bc4a0 operator() (int) (/x/lib c++.so)
     3151   7f5bc4a1 _PyObject_Malloc (/usr/bin/python3.11)

    # a remark
    """
    assert where.count(text.splitlines()) == {
        (3151, "/usr/bin/python3.11", "_PyObject_Malloc"): 2,
        (3151, "[kernel.kallsyms]", "[unknown]"): 1,
        (3152, "/x/lib c++.so", "operator() (int)"): 1,
    }


def test_time_is_shared_out_by_process() -> None:
    """The columns add up to what the kernel booked for each process, however many samples it had."""
    samples = Counter({(1, "/x/msgspec/_core.so", "a"): 3, (1, "/usr/bin/python3", "PyEval"): 1,
                       (2, "/x/msgspec/_core.so", "a"): 50, (9, "/elsewhere", "b"): 70})  # fmt: skip
    roles = {"worker": [1], "keeper": [2], "supervisor": [3]}
    table = where.shared_out(samples, roles, {"worker": 20.0, "keeper": 8.0, "supervisor": 0.1}, parts.part_of)
    assert table == {"msgspec": {"worker": 15.0, "keeper": 8.0}, "CPython: bytecode": {"worker": 5.0}}
    text = where.lines(table, "request").splitlines()
    assert [line.split()[-1] for line in text] == ["all", "23.00", "5.00", "0.00", "28.00"]


def test_no_perf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without perf, its package is named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(rig.MissingTool, match="linux-perf"):
        where.check()


def test_perf_that_may_not_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A perf that refuses is quoted, and what to change is said."""
    (tmp_path / "perf").write_text("#!/bin/sh\necho 'No permission' >&2; exit 255\n")
    (tmp_path / "perf").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(rig.MissingTool, match=r"perf_event_paranoid.*No permission"):
        where.check()
