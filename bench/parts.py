"""What a sample of perf belongs to, from the file and the function it was taken in: tables, read from top to bottom."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

# Inside the kernel, by the names of its functions. Where interrupts were off, the sample falls on the function that
# allows them again: `_raw_spin_unlock_irq...`, which here is the waking of another process.
KERNEL = (
    ("kernel: system call entry and exit", "syscall|SYSCALL|entry_|exit_to_user"),
    (
        "kernel: waiting, wake-ups, scheduler",
        "ep_|epoll|sched|wake|futex|switch|timer|idle|spin_unlock_irq|task|ktime|tsc",
    ),
    ("kernel: network", "tcp|inet|sock|skb|net|loopback|dev_|ip_|ipv4|napi|xmit|bpf|nf_|qdisc|eth|_bh|_iter|softirq"),
    ("kernel: files and memory", "ext4|vfs|file|page|folio|fault|mem|write|read|inode|jbd|fs_|slab|alloc|free|mmap|fd"),
)
# Inside the interpreter.
CPYTHON = (
    ("CPython: memory, reference counts", "Malloc|Free|alloc|GC_|gc_|NewReference|visit|traverse|Realloc|Calloc|arena"),
    ("CPython: bytecode", "EvalFrame|PyEval|_PyFunction_Vector|frame|Frame"),
    (
        "CPython: attributes and calls",
        "Lookup|GetMethod|[Aa]ttr|Vectorcall|vectorcall|_Call|call|method|descr|property",
    ),
    ("CPython: text and bytes", "[Uu]nicode|[Bb]ytes|utf8|hash|string|buffer|memory"),
    ("CPython: dict, list, tuple, int", "[Dd]ict|[Ll]ist|[Tt]uple|[Ll]ong|float|slot_|richcompare|RichCompare|[Ss]et"),
)
# Files of the process, by their names.
FILES = (
    ("uvloop (libuv in it)", "uvloop"),
    ("httptools (llhttp in it)", "httptools"),
    ("msgspec", "msgspec"),
    ("SQLite (apsw)", "apsw|sqlite"),
    ("libc", r"/libc[.-]|libpthread|ld-linux|libm[.-]|\[vdso\]"),
    ("checksums, hashes", "_sha|_blake|_hashlib|libcrypto|zlib|libz"),
    ("CPython: modules in C", "/lib-dynload/"),
)
INTERPRETER = re.compile(r"/python3?[.0-9]*$|libpython")
COMPILED = re.compile(r"__mypyc\b.*\.so$")
# mypyc names a function CPyDef_MODULE___NAME: MODULE is as many last words of the module's path as make it unique.
OURS = re.compile(r"CPy(?:Def|Py)_(.+)")
SOURCE = Path(__file__).resolve().parents[1] / "src" / "encke"


def part_of(file: str, function: str) -> str:
    """A short name; libraries that no table knows appear under their own."""
    if file.startswith("[kernel") or file == "[unknown]":
        return first(KERNEL, function) or "kernel: the rest"
    if COMPILED.search(file):
        return ours(function)
    if INTERPRETER.search(file):
        return first(CPYTHON, function) or "CPython: the rest"
    return first(FILES, file) or file.rpartition("/")[2]


def first(table: tuple[tuple[str, str], ...], text: str) -> str:
    """The first row whose pattern is found in the text; empty if none is."""
    return next((name for name, pattern in table if re.search(pattern, text)), "")


def ours(function: str) -> str:
    """A compiled function of ours: the file it is in; what mypyc brings along is one part."""
    found = OURS.match(function)
    words = found[1].split("___") if found else []
    for many in (2, 1):
        if module := modules().get("/".join(words[:many])):
            return f"encke: {module}"
    return "encke: mypyc's helpers"


@cache
def modules() -> dict[str, str]:
    """The last one or two words of each module's path -> its path in the package, without ".py"."""
    found: dict[str, str] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        path = file.relative_to(SOURCE).with_suffix("")
        for many in (1, 2):
            found.setdefault("/".join(path.parts[-many:]), str(path))
    return found
