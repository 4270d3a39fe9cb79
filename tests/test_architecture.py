"""The house rules, held against the source: who may import whom, and what may stand where."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from encke.providers.presets import read_presets

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src" / "encke"
TESTS = ROOT / "tests"


class Room(NamedTuple):
    """A folder or a top file of the package. It may import rooms of a lower rank, and itself."""

    rank: int
    why: str


ROOMS: dict[str, Room] = {
    "__init__": Room(0, "the words and the version; nothing runs when the package is imported"),
    "core": Room(0, "nouns that every other room speaks in"),
    "framing": Room(1, "bytes to frames; knows no wire format"),
    "catalogue": Room(1, "names of models; knows neither how nor where they are called"),
    "routing": Room(1, "decisions about targets, from what it is told"),
    "keys": Room(1, "what a key is and may do; not where keys are kept"),
    "limits": Room(2, "arithmetic of windows, rates and leases; asks nobody for anything itself"),
    "config": Room(1, "the settings; everything above may be configured"),
    "telemetry": Room(1, "is told facts; asks nobody"),
    "testing": Room(1, "a stand-in for a provider: the gateway's own code must not be in it, or both would err alike"),
    "dialects": Room(2, "wire formats, made of core and framing"),
    "providers": Room(3, "who speaks which dialect, from presets and settings"),
    "ledger": Room(3, "what an attempt was and used"),
    "http": Room(3, "sockets; may ask the settings' rules which addresses are allowed"),
    "local": Room(3, "the embedded model: an upstream like others, so no room knows it but who puts things together"),
    "store": Room(4, "keeps keys and the ledger's entries, so it knows both"),
    "calls": Room(5, "the life of a call: reads and renders, sends, records in the journal"),
    "admin": Room(5, "what an operator does: use cases over the store"),
    "worker": Room(6, "the data plane's process around calls; talks to the keeper in admin's frames"),
    "keeper": Room(6, "the control plane's process around the store; runs admin's use cases"),
    "compose": Room(7, "names concrete classes and puts them together"),
    "runtime": Room(8, "what of a worker follows from the settings, in one piece"),
    "children": Room(8, "what processes hand to each other, compositions among it"),
    "service": Room(9, "a worker's application and its runtime, which may be exchanged"),
    "run_worker": Room(10, "a process's main"),
    "run_keeper": Room(10, "a process's main"),
    "supervise": Room(10, "starts processes by the names of their modules; imports none of them"),
    "doctor": Room(10, "looks at everything, so it knows everything but commands"),
    "cli": Room(11, "commands: the outermost layer"),
    "__main__": Room(12, "python -m encke"),
}

# What a room must not import from outside, beyond its rank.
_SOCKETS = frozenset({"socket", "asyncio", "ssl", "subprocess", "selectors", "http", "urllib", "uvloop", "httptools"})
_FILES = frozenset({"os", "io", "pathlib", "tempfile", "shutil", "mmap", "fcntl"})
_CLOCKS = frozenset({"time", "datetime"})
_STORES = frozenset({"apsw", "sqlite3"})
_PURE = _SOCKETS | _FILES | _CLOCKS | _STORES | {"signal", "threading"}

FORBIDDEN: dict[str, tuple[frozenset[str], str]] = {
    "framing": (_PURE, "the same bytes give the same frames"),
    "dialects": (_PURE, "a wire format has no socket, no clock, no vendor"),
    "routing": (_PURE, "a decision can be tested without waiting for it"),
    "catalogue": (_PURE, "a name means the same everywhere and always"),
    "core": (_SOCKETS | _STORES | {"signal", "threading", "click"}, "nouns have no behaviour"),
    "ledger": (_SOCKETS | _STORES, "the journal is files in memory; shipping it is the keeper's"),
    "calls": (_SOCKETS | _STORES | _FILES, "calls know connections and the journal, never a store or a file"),
    "worker": (_STORES, "the data plane goes on when the store does not"),
    "supervise": (_STORES | {"asyncio", "uvloop", "httptools"}, "what does little has little to die of"),
}
# Of our own rooms, more than the ranks forbid.
FORBIDDEN_ROOMS: dict[str, tuple[frozenset[str], str]] = {
    "calls": (frozenset({"store", "config", "providers", "local"}), "it is handed what it needs"),
    "worker": (frozenset({"store", "config", "providers", "local"}), "it is handed what it needs"),
    "supervise": (
        frozenset({"store", "worker", "keeper", "calls", "http"}),
        "it does nothing but look after processes",
    ),
}

# Modules without a test file of their own name: why, and what tests them.
_GATEWAY = "whole gateways answer, against an oracle of what must come out: tests/relay, tests/clients"
_PASSING = "a call that passes as it is: tests/dialects/anthropic_messages/test_passing.py"
_PROCESS = "a process is tested as one: tests/system/test_serve.py starts, stops and breaks gateways"
_OPERATED = "what operators do to a running gateway: tests/system/test_reload.py, tests/system/test_rolling.py"
_EXAMINED = "looked at as an operator does: tests/cli/test_doctor.py"
_SCRAPED = "what Prometheus sees of whole gateways: tests/system/test_metrics.py"
_FAKE = "a part of the fake upstream, which is tested as a whole: tests/testing/test_upstream.py"
_WIRES = "answers of the fake upstream in every wire, read by their makers' clients: tests/testing/test_wires.py"
_DESK = "parts of the lease desk, held against a model of it all: tests/keeper/test_desk.py"
_VECTORS = "all that give vectors are held to the same: tests/dialects/test_embedding.py"
_SHAPES = "shapes without behaviour, read and written in "
_SEALS = "what is left out in each dialect: tests/dialects/test_seals.py"
UNMIRRORED: dict[str, str] = {
    "admin/steer.py": _OPERATED,
    "http/incoming.py": "the reading half of a connection: tests/http/test_server.py and test_server_attacks.py",
    "http/kernel.py": "what is unsent and what waits: tests/http/test_server_limits.py, tests/relay/test_stuck.py",
    "admin/names.py": "names that are refused: tests/admin/test_keys.py, tests/admin/test_levels.py",
    "admin/view.py": "what levels and budgets show: tests/admin/test_levels.py, tests/admin/test_budgets.py",
    "admin/context.py": "holds three things together for the use cases: tests/admin",
    "dialects/anthropic_messages/seals.py": _SEALS,
    "dialects/google_generate/seals.py": _SEALS,
    "dialects/openai_responses/seals.py": _SEALS,
    "calls/attempt.py": _GATEWAY,
    "calls/desk.py": _GATEWAY,
    "calls/ending.py": _GATEWAY,
    "calls/telling.py": "what is told of a call: tests/calls/test_life.py, tests/system/test_metrics.py",
    "calls/call.py": _GATEWAY,
    "calls/meter.py": "streams that are paid for while they come: tests/money/test_edge.py, tests/money/test_cuts.py",
    "calls/passing.py": _GATEWAY,
    "calls/relay.py": _GATEWAY,
    "calls/upstream.py": _GATEWAY,
    "http/request.py": "holds what the server read: tests/http/test_server.py",
    "children.py": _PROCESS,
    "cli/models.py": "one list, shown: tests/cli/test_chat.py",
    "cli/standing.py": "how it is shown: tests/cli/test_levels.py, tests/cli/test_budgets.py",
    "cli/terms.py": "options, and what becomes of them: tests/cli/test_levels.py, tests/admin/test_terms.py",
    "cli/workers.py": _OPERATED,
    "doctor/doctor.py": _EXAMINED,
    "doctor/finding.py": _EXAMINED,
    "doctor/folder.py": _EXAMINED,
    "doctor/gateway.py": _EXAMINED,
    "doctor/machine.py": _EXAMINED,
    "doctor/upstreams.py": _EXAMINED,
    "cli/options.py": "options that every command has: tests/cli/test_keys.py",
    "cli/serve.py": _PROCESS,
    "compose.py": "puts the gateway together: tests/system/test_serve.py, tests/docs/test_examples.py",
    "config/capabilities.py": "what a table of them says, where it stands: tests/providers/test_capabilities.py",
    "config/checks.py": "what values are refused, by the file that has them: tests/config/test_load.py",
    "config/expand.py": "${NAME} in a file: tests/config/test_load.py",
    "config/kinds.py": "kinds of values, by the settings of that kind: tests/config/test_build.py",
    "config/problems.py": "how problems are told, in full: tests/config/test_load.py",
    "config/reference.py": "the page made of it is compared: tests/docs/test_facts.py",
    "config/settings.py": _SHAPES + "tests/config/test_schema.py",
    "core/clock.py": "two names for the standard library's clocks, and one form of a moment: tests/admin/test_times.py",
    "core/chat.py": _SHAPES + "tests/dialects",
    "core/delta.py": _SHAPES + "tests/dialects",
    "core/embed.py": _SHAPES + "tests/dialects",
    "core/traits.py": _SHAPES + "tests/dialects",
    "dialects/body.py": "what routes read of any body: tests/dialects/openai_chat/test_parse.py",
    "dialects/fit_messages.py": "a part of fit: tests/dialects/test_fit.py",
    "dialects/port.py": "what dialects are made of: tests/dialects",
    "dialects/losses.py": "what is named as lost: tests/dialects/cohere_chat/test_render.py",
    "dialects/measure.py": "bodies that are not read: tests/dialects/ollama_chat/test_render.py",
    "dialects/service_wire.py": _SHAPES + "tests/dialects/test_service.py",
    "dialects/cost_wire.py": _SHAPES + "tests/dialects/test_cost.py",
    "dialects/embedding_wire.py": _SHAPES + "tests/dialects/test_embedding.py",
    "dialects/cohere_chat/embed.py": _VECTORS,
    "dialects/ollama_chat/embed.py": _VECTORS,
    "dialects/voyage_embed/provider.py": _VECTORS,
    "dialects/mistral_embed/provider.py": _VECTORS,
    "dialects/cohere_chat/citations.py": "read of answers and streams: tests/dialects/cohere_chat/test_reader.py",
    "dialects/cohere_chat/messages.py": "a part of requests: tests/dialects/cohere_chat/test_render.py",
    "dialects/cohere_chat/odd.py": "events of wrong types: tests/dialects/cohere_chat/test_reader.py",
    "dialects/cohere_chat/parse.py": "answers, beside streams: tests/dialects/cohere_chat/test_reader.py",
    "dialects/cohere_chat/provider.py": "thin: tests/dialects/cohere_chat",
    "dialects/cohere_chat/wire.py": _SHAPES + "tests/dialects/cohere_chat/test_reader.py",
    "dialects/ollama_chat/messages.py": "a part of requests: tests/dialects/ollama_chat/test_render.py",
    "dialects/ollama_chat/parse.py": "answers, beside streams: tests/dialects/ollama_chat/test_reader.py",
    "dialects/ollama_chat/provider.py": "thin: tests/dialects/ollama_chat",
    "dialects/ollama_chat/wire.py": _SHAPES + "tests/dialects/ollama_chat/test_reader.py",
    "dialects/google_generate/client.py": "thin: tests/dialects/google_generate",
    "dialects/google_generate/events.py": _SHAPES + "tests/dialects/google_generate",
    "dialects/google_generate/parse_parts.py": "tests/dialects/google_generate/test_parse_request.py",
    "dialects/google_generate/provider.py": "thin: tests/dialects/google_generate",
    "dialects/google_generate/render_messages.py": "tests/dialects/google_generate/test_render_chat.py",
    "dialects/google_generate/render_parts.py": "tests/dialects/google_generate/test_render_chat.py",
    "dialects/google_generate/wire.py": _SHAPES + "tests/dialects/google_generate",
    "dialects/request.py": _SHAPES + "tests/dialects/openai_chat/test_parse.py",
    "dialects/openai_chat/client.py": _GATEWAY,
    "dialects/openai_chat/faults.py": "envelopes: tests/dialects/test_faults.py",
    "dialects/openai_chat/message_wire.py": _SHAPES + "tests/dialects/openai_chat/test_messages.py",
    "dialects/openai_chat/stream_wire.py": _SHAPES + "tests/dialects/openai_chat/test_reader.py",
    "dialects/openai_chat/assistant.py": "what was said: tests/dialects/openai_chat/test_messages.py",
    "dialects/openai_chat/finish.py": "words for the end: tests/dialects/openai_chat/test_reply.py",
    "dialects/openai_chat/logprobs.py": "both ways: tests/dialects/openai_chat/test_reply.py",
    "dialects/openai_chat/parts.py": "parts of content: tests/dialects/openai_chat/test_messages.py",
    "dialects/openai_chat/read_choice.py": "one choice of a stream: tests/dialects/openai_chat/test_reader.py",
    "dialects/openai_chat/render_messages.py": "of a request: tests/dialects/openai_chat/test_render_request.py",
    "dialects/openai_chat/render_parts.py": "parts of content: tests/dialects/openai_chat/test_render_request.py",
    "dialects/openai_chat/render_reply.py": "answers for callers: tests/dialects/openai_chat/test_reply.py",
    "dialects/openai_chat/tools.py": "of a request: tests/dialects/openai_chat/test_fields.py",
    "dialects/openai_chat/usage_out.py": "and back: tests/dialects/openai_chat/test_reply.py",
    "dialects/openai_chat/write_choice.py": "one choice of a stream: tests/dialects/openai_chat/test_writer.py",
    "dialects/mistral_chat/messages.py": "messages of requests: tests/dialects/mistral_chat/test_render.py",
    "dialects/anthropic_messages/bounds.py": _PASSING,
    "dialects/anthropic_messages/answer.py": _SHAPES + "tests/dialects/anthropic_messages/test_writer.py",
    "dialects/anthropic_messages/block_wire.py": _SHAPES + "tests/dialects/anthropic_messages",
    "dialects/anthropic_messages/client.py": _PASSING,
    "dialects/anthropic_messages/names.py": _SHAPES + "tests/dialects/anthropic_messages",
    "dialects/anthropic_messages/parse_blocks.py": "tests/dialects/anthropic_messages/test_parse_request.py",
    "dialects/anthropic_messages/parse_reply.py": "tests/dialects/anthropic_messages/test_reader.py",
    "dialects/anthropic_messages/provider.py": "tests/dialects/anthropic_messages/test_reader.py",
    "dialects/anthropic_messages/render_messages.py": "tests/dialects/anthropic_messages/test_render_request.py",
    "dialects/anthropic_messages/render_parts.py": "tests/dialects/anthropic_messages/test_render_request.py",
    "dialects/anthropic_messages/render_reply.py": "tests/dialects/anthropic_messages/test_writer.py",
    "dialects/anthropic_messages/schema.py": "tests/dialects/anthropic_messages/test_render_request.py",
    "dialects/anthropic_messages/tools.py": "tests/dialects/anthropic_messages/test_render_request.py",
    "dialects/anthropic_messages/parse.py": _PASSING,
    "dialects/anthropic_messages/render.py": _PASSING,
    "dialects/anthropic_messages/wire.py": _SHAPES + "tests/dialects/anthropic_messages",
    "core/crash.py": "places where processes die: tests/durability/test_crash_points.py",
    "core/faults.py": "a table, compared with the page made of it: tests/docs/test_facts.py",
    "core/usage.py": _SHAPES + "tests/dialects/openai_chat/test_parse.py",
    "dialects/openai_responses/client.py": "thin: tests/dialects/openai_responses",
    "dialects/openai_responses/replay.py": "whole answers: tests/dialects/openai_responses/test_output.py",
    "dialects/openai_responses/whole.py": "items of streams: tests/dialects/openai_responses/test_reader.py",
    "dialects/openai_responses/provider.py": "thin: tests/dialects/openai_responses",
    "dialects/openai_responses/render_items.py": "tests/dialects/openai_responses/test_request.py",
    "dialects/openai_responses/render_request.py": "tests/dialects/openai_responses/test_request.py",
    "dialects/openai_responses/tools.py": "both ways: tests/dialects/openai_responses/test_fields.py, test_request.py",
    "dialects/openai_responses/head.py": "what clients get: tests/dialects/openai_responses/test_writer.py",
    "dialects/openai_responses/beside.py": "citations, logprobs: tests/dialects/openai_responses/test_writer.py",
    "dialects/openai_responses/item_events.py": "numbers: tests/dialects/openai_responses/test_writer.py",
    "dialects/openai_responses/items.py": "what clients get: tests/dialects/openai_responses/test_writer.py",
    "dialects/openai_responses/item_wire.py": _SHAPES + "tests/dialects/openai_responses/test_fields.py",
    "dialects/openai_responses/parts.py": "tests/dialects/openai_responses/test_conversation.py",
    "dialects/openai_responses/wire.py": _SHAPES + "tests/dialects/openai_responses/test_parse.py",
    "dialects/openai_chat/wire.py": _SHAPES + "tests/dialects/openai_chat/test_parse.py",
    "http/fetch.py": "one request for a list of models: tests/clients",
    "http/pool.py": "connections kept, taken and given back: tests/http/test_client.py",
    "keeper/accounts.py": _DESK,
    "keeper/judge.py": _DESK,
    "keeper/recalls.py": _DESK,
    "keeper/turns.py": "the desk on a real socket: tests/keeper/test_keeper.py",
    "keys/grant.py": _SHAPES + "tests/worker/test_admission.py",
    "ledger/entry.py": _SHAPES + "tests/store/test_rows.py",
    "local/pip_child.py": "a script that another process runs: tests/local/test_fetch.py",
    "local/recipe.py": _SHAPES + "tests/local/test_weights.py",
    "local/spawn.py": "the engine's start: tests/local/test_engine.py",
    "providers/describe.py": "what config check prints: tests/providers/test_resolve.py, tests/cli/test_config.py",
    "run_keeper.py": _PROCESS,
    "runtime.py": _OPERATED,
    "service.py": _OPERATED,
    "worker/orders.py": _OPERATED,
    "run_worker.py": _PROCESS,
    "store/level_changes.py": "a part of the store: tests/store/test_sqlite_levels.py",
    "store/levels.py": _SHAPES + "tests/store/level_contract.py",
    "store/port.py": "a port; whatever stands behind it is held to tests/store/contract.py",
    "store/sums.py": "columns, and the SQL that sums them up: tests/store/test_posting.py, tests/store/test_verify.py",
    "store/replies.py": "a part of the port: tests/store/contract.py",
    "store/sqlite_replies.py": "tests/store/contract.py, tests/keeper/test_replies.py",
    "store/trouble.py": "SQLite's errors as they come about: tests/store/test_sqlite.py",
    "supervise/control.py": _OPERATED,
    "supervise/doom.py": "hands out the points of tests/durability/test_crash_points.py",
    "supervise/engine.py": _PROCESS,
    "supervise/fleet.py": _OPERATED,
    "supervise/nursery.py": _PROCESS,
    "supervise/reload.py": _OPERATED,
    "supervise/rolling.py": _OPERATED,
    "supervise/supervisor.py": _PROCESS,
    "testing/asked.py": _WIRES,
    "testing/options.py": _WIRES,
    "testing/wires/cohere.py": _WIRES,
    "testing/wires/gemini.py": _WIRES,
    "testing/wires/messages.py": _WIRES,
    "testing/wires/mistral.py": _WIRES,
    "testing/wires/ollama.py": _WIRES,
    "testing/wires/responses.py": _WIRES,
    "testing/wires/side.py": _WIRES,
    "testing/wires/table.py": _WIRES,
    "testing/connection.py": _FAKE,
    "testing/faults.py": "behaviours, one by one: tests/testing/test_behaviours.py",
    "testing/host.py": _FAKE,
    "testing/oddities.py": "behaviours, one by one: tests/testing/test_behaviours.py",
    "testing/polite.py": _FAKE,
    "testing/rules.py": "rules that change while it runs: tests/testing/test_process.py",
    "testing/script.py": _FAKE,
    "testing/statement.py": _FAKE,
    "worker/app.py": _GATEWAY,
    "worker/models.py": "lists of models, as clients ask for them: tests/clients",
    "core/addresses.py": "who may call from where: tests/keys/test_rules.py, tests/system/test_metrics.py",
    "supervise/board.py": _SCRAPED,
    "telemetry/process.py": _SCRAPED,
    "telemetry/reporter.py": _SCRAPED,
    "worker/measure.py": _SCRAPED,
    "worker/operator.py": _SCRAPED,
    "telemetry/line.py": "a shape: tests/telemetry/test_access.py, tests/docs/test_facts.py",
}


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package: dotted name to syntax tree."""
    return {_name(path): ast.parse(path.read_text("utf-8"), str(path)) for path in sorted(SRC.rglob("*.py"))}


def _name(path: Path) -> str:
    parts = ["encke", *path.relative_to(SRC).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room that a module of ours is in."""
    return [*module.split("."), "__init__"][1]


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every module that is imported, with the line. `from encke.a import b` gives `encke.a.b` if that is a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import hides the room; write it in full"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield (full if full in modules() else node.module or ""), node.lineno


def is_ours(name: str) -> bool:
    """Whether a module belongs to the package."""
    return name == "encke" or name.startswith("encke.")


def found(problems: list[str]) -> None:
    """Fail with every problem, one a line."""
    assert not problems, "\n" + "\n".join(problems)


def test_every_room_stands_in_the_table_and_every_row_is_a_room() -> None:
    """The table and the folder hold the same rooms."""
    assert {room_of(name) for name in modules()} == set(ROOMS)


def test_a_room_imports_only_rooms_below_it() -> None:
    """Ranks decide who may import whom; rooms of one rank do not know each other."""
    problems = []
    for name, tree in modules().items():
        room = room_of(name)
        for target, line in imports(tree):
            other = room_of(target) if is_ours(target) else room
            if other != room and ROOMS[other].rank >= ROOMS[room].rank:
                problems.append(f"{name}:{line} imports {target}: {other} is not below {room} ({ROOMS[room].why})")
    found(problems)


def test_nothing_outside_the_tests_imports_the_test_tools() -> None:
    """`encke.testing` is shipped for tests of others; the gateway does not lean on it."""
    found(
        [
            f"{name}:{line} imports {target}"
            for name, tree in modules().items()
            for target, line in imports(tree)
            if is_ours(target) and room_of(target) == "testing" != room_of(name)
        ]
    )


def test_there_are_no_import_cycles() -> None:
    """No module imports itself by way of others."""
    graph = {name: {target for target, _ in imports(tree) if is_ours(target)} for name, tree in modules().items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name in done:
            return
        for target in sorted(graph[name]):
            visit(target, (*path, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_keeps_to_its_business(room: str) -> None:
    """Rooms without I/O import none, and calls import no store."""
    forbidden, why = FORBIDDEN[room]
    rooms, why_rooms = FORBIDDEN_ROOMS.get(room, (frozenset(), ""))
    problems = []
    for name, tree in modules().items():
        if room_of(name) != room:
            continue
        for target, line in imports(tree):
            if target.split(".")[0] in forbidden:
                problems.append(f"{name}:{line} imports {target}: {why}")
            elif is_ours(target) and room_of(target) in rooms:
                problems.append(f"{name}:{line} imports {target}: {why_rooms}")
    found(problems)


def test_the_forbidden_modules_exist() -> None:
    """A rule about a misspelt module would hold nothing back."""
    known = sys.stdlib_module_names | {"uvloop", "httptools", "apsw", "click"}
    assert {name for names, _ in FORBIDDEN.values() for name in names} <= known
    assert {name for names, _ in FORBIDDEN_ROOMS.values() for name in names} | set(FORBIDDEN) <= set(ROOMS)


def test_nothing_of_ours_is_imported_inside_a_function() -> None:
    """An import inside a function hides a cycle."""
    problems = []
    for name, tree in modules().items():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                problems += [f"{name}:{line} imports {t}" for t, line in imports(function) if is_ours(t)]
    found(problems)


def test_there_is_no_global_statement() -> None:
    """State lives in objects that are handed on."""
    found(
        [
            f"{name}:{node.lineno} {', '.join(node.names)}"
            for name, tree in modules().items()
            for node in ast.walk(tree)
            if isinstance(node, ast.Global)
        ]
    )


def test_the_environment_is_read_in_one_place() -> None:
    """Only `encke.config.load` asks for environment variables."""
    problems = []
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "getenvb"):
                problems.append(f"{name}:{node.lineno} asks for {node.attr}")
            elif isinstance(node, ast.ImportFrom) and node.module == "os":
                problems += [
                    f"{name}:{node.lineno} imports {alias.name}" for alias in node.names if "env" in alias.name
                ]
    assert problems, "the rule looks at nothing"
    found([problem for problem in problems if not problem.startswith("encke.config.load:")])


# Beside those there are presets of. `local` is the embedded model's own name, which other rooms may say.
OTHER_PROVIDERS = ("anthropic", "azure", "bedrock", "cohere", "deepseek", "gemini", "groq", "mistral", "vertex", "xai")
ORDINARY_WORDS = ("together",)
# Names of wire formats and of headers that clients of one kind send or look for, and shapes of keys to be redacted.
NO_PROVIDERS = re.compile(
    r"x_groq|openai-processing-ms|\(\?:sk\|pk\|rk\|xai\|gsk|openai_(?:chat|responses)|anthropic_messages|google_(?:generate|count)"
    r"|(?:mistral|cohere|ollama|voyage)_(?:chat|embed)|(?:anthropic|x-goog)-[a-z-]+"
)


def test_no_provider_is_named_outside_its_folder() -> None:
    """A provider's peculiarities stand in its folder, as data; comments and docstrings may name it as a source. A
    dialect is called after whoever made it: its folder may say so, the fake upstream's wires too, and others by the
    names of dialects, operations and routes."""
    names = (set(read_presets()) - {"local", *ORDINARY_WORDS}) | set(OTHER_PROVIDERS)
    pattern = re.compile(rf"(?<![a-z])(?:{'|'.join(sorted(names))})(?![a-z])", re.I)
    problems = []
    for name, tree in modules().items():
        if room_of(name) in ("providers", "dialects") or name.startswith("encke.testing.wires"):
            continue
        problems += [
            f"{name}:{line}: {text[:80]!r}" for text, line in words(tree) if pattern.search(NO_PROVIDERS.sub("", text))
        ]
    found(problems)


def words(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name and every string that is no docstring, with its line."""
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            if isinstance(node.value, str | bytes):
                text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
                yield text, node.lineno
        elif isinstance(node, ast.Name):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno


def test_tokens_and_money_are_whole_numbers() -> None:
    """No float where amounts are kept: the ledger, and money and limits when they come. (Seconds to wait are none.)"""
    problems = []
    for name, tree in modules().items():
        if room_of(name) not in ("ledger", "limits") and name != "encke.core.money":
            continue
        waits = {
            id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "retry_after"
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, float) and id(node) not in waits:
                problems.append(f"{name}:{node.lineno} has the float {node.value}")
            elif isinstance(node, ast.Name) and node.id == "float":
                problems.append(f"{name}:{node.lineno} says float")
    found(problems)


def test_every_module_has_its_tests() -> None:
    """tests/ mirrors src/: a/b.py is tested by a/test_b.py, or stands in the list with what tests it instead."""
    missing = []
    for path in sorted(SRC.rglob("*.py")):
        inside = path.relative_to(SRC)
        if inside.name in ("__init__.py", "__main__.py") or inside.as_posix() in UNMIRRORED:
            continue
        if not (TESTS / inside.parent / f"test_{inside.name}").exists():
            missing.append(f"src/encke/{inside} has no tests/{(inside.parent / f'test_{inside.name}').as_posix()}")
    found(missing)


def test_the_list_of_exceptions_is_up_to_date() -> None:
    """A module that is gone leaves the list, and what is said to test one is there."""
    problems = []
    for inside, why in UNMIRRORED.items():
        path = Path(inside)
        if not (SRC / path).exists():
            problems.append(f"{inside} does not exist")
        named = re.findall(r"tests/[\w/]+(?:\.py)?", why)
        problems += [f"{inside}: {test} does not exist" for test in named if not (ROOT / test).exists()]
        if not why:
            problems.append(f"{inside} has no reason")
    found(problems)
