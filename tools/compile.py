"""Compiles the data plane: `python tools/compile.py PYTHON SOURCE TARGET`, with mypy and setuptools installed.

mypyc turns the typed modules below into a C extension: the same files, about half the time per call. SOURCE (`src`) is
copied to TARGET, and the extensions are built into the copy, so that what one edits is always what runs elsewhere; a
gateway runs compiled when TARGET is on its PYTHONPATH. One thing differs there: a slice of bytes whose end lies before
its start is an error, not empty. PYTHON is the interpreter whose packages the types come from.
"""

from __future__ import annotations

import compileall
import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mypyc.build import mypycify
from setuptools import setup  # type: ignore[import-untyped]
from setuptools._distutils.ccompiler import CCompiler  # type: ignore[import-untyped]

# What runs for every call or every event of a stream, and what ships the record of it. The rest would gain nothing.
MODULES = (
    "core/clock core/faults core/ids core/money",
    "framing/sse framing/json_lines",
    "catalogue/catalogue catalogue/pricing",
    "limits/book limits/sizes",
    "routing/breaker routing/plan routing/retry",
    "telemetry/tally telemetry/access",
    # Of dialects what runs for every call on its own wire, and what reads and writes streams; what reads a request into
    # the hub and writes it from there runs once for a call, and compiled it would double the time that this takes.
    "core/delta dialects/port dialects/request dialects/body dialects/blocks dialects/translate dialects/table",
    "dialects/cost dialects/counting dialects/service",
    "dialects/faults dialects/mistral_chat/provider",
    "dialects/openai_chat/bounds dialects/openai_chat/client dialects/openai_chat/faults",
    "dialects/openai_chat/finish dialects/openai_chat/parse dialects/openai_chat/provider",
    "dialects/openai_chat/read_choice dialects/openai_chat/reader dialects/openai_chat/render",
    "dialects/openai_chat/stream dialects/openai_chat/usage dialects/openai_chat/write_choice",
    "dialects/openai_chat/writer",
    "dialects/openai_responses/client dialects/openai_responses/item_events dialects/openai_responses/items",
    "dialects/openai_responses/parse",
    "dialects/openai_responses/provider dialects/openai_responses/reader dialects/openai_responses/render",
    "dialects/openai_responses/tap dialects/openai_responses/usage dialects/openai_responses/writer",
    "dialects/anthropic_messages/client dialects/anthropic_messages/parse dialects/anthropic_messages/provider",
    "dialects/anthropic_messages/reader dialects/anthropic_messages/render dialects/anthropic_messages/tap",
    "dialects/anthropic_messages/usage dialects/anthropic_messages/writer",
    "dialects/google_generate/client dialects/google_generate/parse dialects/google_generate/provider",
    "dialects/google_generate/reader dialects/google_generate/render dialects/google_generate/tap",
    "dialects/google_generate/usage dialects/google_generate/words dialects/google_generate/writer",
    "dialects/cohere_chat/embed dialects/cohere_chat/provider dialects/cohere_chat/reader",
    "dialects/ollama_chat/embed dialects/ollama_chat/provider dialects/ollama_chat/reader",
    "dialects/mistral_embed/provider dialects/voyage_embed/provider",
    "http/client http/drive http/headers http/incoming http/kernel http/known http/narrow http/pool http/request",
    "http/server http/sweep",
    "ledger/crashing ledger/journal ledger/settlement",
    "calls/allowed calls/attempt calls/call calls/desk calls/ending calls/headers calls/hold calls/life calls/refusal",
    "calls/meter calls/passing calls/relay calls/replies calls/telling calls/upstream",
    "worker/admission worker/app worker/routes",
    "keeper/shipper store/rows",
)
# An attribute's name gets an underscore before it in C, where some names are then taken.
RESERVED = re.compile(
    r"self\.(_(?:asm|attribute|complex|const|extension|imag|inline|label|real|restrict|signed|thread|typeof|volatile))\b"
)


def main() -> None:
    """Compile."""
    python, source, target = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve()
    part = target.with_name(target.name + ".new")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source, part, ignore=shutil.ignore_patterns("__pycache__"))
    os.chdir(part)
    files = [f"encke/{name}.py" for row in MODULES for name in row.split()]
    for file in files:
        # A compiled class loses what stands beside its base: array_like, frozen, omit_defaults.
        text = Path(file).read_text()
        if "(msgspec.Struct" in text:
            sys.exit(f"{file} defines a msgspec.Struct, which must not be compiled: move it, or take the file out")
        if (found := RESERVED.search(text)) is not None:
            sys.exit(f"{file} has an attribute {found[1]}, which with one underscore more is a word of C: rename it")
    options = ["--python-executable", python, "--explicit-package-bases", "--cache-dir", os.devnull]
    sys.argv[1:] = ["--quiet", "build_ext", "--inplace"]
    # A file of C for each module: all in one takes gcc four times as long, and only one processor.
    made = mypycify([*options, *files], opt_level="2", debug_level="0", multi_file=True)
    CCompiler.compile = _compile_at_once
    setup(name="encke-compiled", packages=[], ext_modules=made)
    shutil.rmtree(part / "build", ignore_errors=True)
    compileall.compile_dir(part / "encke", quiet=1, stripdir=part, prependdir=target)
    shutil.rmtree(target, ignore_errors=True)
    os.rename(part, target)


def _compile_at_once(
    self: Any,
    sources: Any,
    output_dir: Any = None,
    macros: Any = None,
    include_dirs: Any = None,
    debug: Any = 0,
    extra_preargs: Any = None,
    extra_postargs: Any = None,
    depends: Any = None,
) -> Any:
    """As `CCompiler.compile`, with as many compilers at once as there are processors."""
    _, objects, last, flags, build = self._setup_compile(
        output_dir, macros, include_dirs, sources, depends, extra_postargs
    )
    first = self._get_cc_args(flags, debug, extra_preargs)

    def one(target: str) -> None:
        if target in build:
            source, ending = build[target]
            self._compile(target, source, ending, first, last, flags)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, objects))
    return objects


if __name__ == "__main__":
    main()
