"""Can this machine run the engine? Asked of a throw-away child, since an unknown instruction kills the asker."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from encke.local.interpreter import interpreter

_SECONDS = 60.0  # a first import from a slow disk
_NO_LIBRARY = 98  # exit status
_CHILD = f"""
import importlib.util, sys
if importlib.util.find_spec("xllamacpp") is None:
    sys.exit({_NO_LIBRARY})
import xllamacpp
xllamacpp.get_device_info()
print(xllamacpp.get_system_info())
"""
_CPUINFO = Path("/proc/cpuinfo")

# Shared libraries that xllamacpp takes from the system, and where they come from; a minimal Debian lacks the first.
_HELP = {
    "libgomp.so.1": ". Install the package libgomp1 (apt install libgomp1) and start again",
    "libstdc++.so.6": ". Install the package libstdc++6 (apt install libstdc++6) and start again",
}

# What the library was compiled for, as it says itself, and the kernel's word for it.
_X86_FLAGS = {
    "SSE3": "pni",
    "SSSE3": "ssse3",
    "AVX": "avx",
    "AVX2": "avx2",
    "F16C": "f16c",
    "FMA": "fma",
    "BMI2": "bmi2",
    "AVX512": "avx512f",
}


def probe_cpu() -> str | None:
    """None if the engine can run here, else the reason, with what to do. Takes some tenths of a second."""
    command = [*interpreter(), "-P", "-c", _CHILD]
    try:
        child = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"The embedded model's library could not be tried: {error}"
    return explain(child.returncode, child.stdout, child.stderr, _cpu_flags())


def explain(status: int, output: str, errors: str, flags: frozenset[str]) -> str | None:
    """The reason behind the child's end: its exit status (negative: a signal), output, errors, and this CPU's flags."""
    if status == _NO_LIBRARY:
        return "The library xllamacpp is not installed. Install encke with its extra: pip install 'encke[local]'"
    if status == -signal.SIGILL:
        return (
            "This CPU lacks instructions that the installed xllamacpp needs (it ended with 'illegal instruction'). "
            "Build xllamacpp from source on this machine, or do without the embedded model."
        )
    if status:
        last = (errors.strip().splitlines() or [f"it ended with status {status}"])[-1]
        return f"The library xllamacpp cannot be loaded: {last}{_HELP.get(_absent(last), '')}"
    missing = missing_instructions(output, flags)
    if missing:
        return (
            f"This CPU has no {', '.join(missing)}, which the installed xllamacpp needs. "
            "Build xllamacpp from source on this machine, or do without the embedded model."
        )
    return None


def _absent(error: str) -> str:
    """The shared library that the dynamic linker did not find; "" if that is not what `error` says."""
    name, _, why = error.rpartition("ImportError: ")[2].partition(": ")
    return name if why.startswith("cannot open shared object file") else ""


def missing_instructions(system_info: str, flags: frozenset[str]) -> list[str]:
    """Those the library was compiled for (it says "CPU : AVX = 1 | AVX2 = 1 | …") that are not among the CPU's flags.

    None known means none missing.
    """
    items = [item.split(":")[-1].split("=") for item in system_info.split("|")]
    compiled = {item[0].strip() for item in items if item[-1].strip() == "1"}
    return [name for name, flag in _X86_FLAGS.items() if flags and name in compiled and flag not in flags]


def _cpu_flags() -> frozenset[str]:
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.split(":", 1)[1] for line in lines if line.startswith("flags")), "").split())
