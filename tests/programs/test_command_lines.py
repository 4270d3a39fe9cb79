"""Claude Code, Codex, Gemini CLI and opencode, each started with one prompt, in front of providers of other wires."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients.site import Site, behave
from tests.programs.command_lines import PROGRAMS, run

# The tool of each that reads a file, and how it is asked for one.
READERS = {
    "claude": ("Read", "file_path", "{}"),
    "codex": ("exec_command", "cmd", "cat {}"),
    "gemini": ("read_file", "file_path", "{}"),
    "opencode": ("read", "filePath", "{}"),
}
# Every wire once, and what users put together most: each program with OpenAI's, Anthropic's and Gemini's.
PAIRS = [
    *(("claude", wire) for wire in ("chat", "responses", "gemini", "mistral", "cohere", "ollama")),
    *(("codex", wire) for wire in ("chat", "messages", "gemini", "mistral", "cohere", "ollama")),
    *(("gemini", wire) for wire in ("chat", "messages", "responses")),
    *(("opencode", wire) for wire in ("messages", "gemini")),
]
SIGNATURE = "c2lnbmVk"
SIGNED = ("responses", "messages", "gemini")


@pytest.mark.parametrize(("name", "wire"), PAIRS)
def test_a_prompt_with_a_tool(name: str, wire: str, packages: Path, many: Site, tmp_path: Path) -> None:
    """The model asks for a file, the program reads it, the model is told, and its words are the answer; what proves
    the model's thoughts is sent back with the result."""
    work = tmp_path / "work"
    work.mkdir()
    note = work / "note.txt"
    note.write_text("the heron flies\n")
    tool, argument, form = READERS[name]
    calls = [{"name": tool, "arguments": {argument: form.format(note)}}]
    prompt = behave(thinking="Hm.", signature=SIGNATURE, calls=calls)
    before = len(many.fake.statement.calls())
    done = run(PROGRAMS[name], packages, many, tmp_path, f"{wire}/fake", prompt)
    assert done.status == 0, done.out + done.err
    assert "Told: " in done.out and "the heron flies" in done.out, done.out + done.err
    bodies = [call.body.decode() for call in many.fake.statement.calls()[before:]]
    assert "the heron flies" in bodies[-1]
    # opencode keeps no thoughts of models that it does not know, and Gemini CLI only what signs a call.
    if wire in SIGNED and name in ("claude", "codex"):
        assert bodies[-1].replace("\\", "").count(SIGNATURE) > bodies[0].replace("\\", "").count(SIGNATURE)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_refusal_is_shown(name: str, packages: Path, many: Site, tmp_path: Path) -> None:
    """A model that is not there ends the program with the gateway's words, and not with an answer."""
    done = run(PROGRAMS[name], packages, many, tmp_path, "chat/fault-404", "Hello?")
    said = done.out + done.err
    assert "model" in said and re.search("not exist|not found|404|issue with the selected model", said), said
    assert "word.1" not in done.out


@pytest.mark.model
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_embedded_model(name: str, packages: Path, home: Site, tmp_path: Path) -> None:
    """With the model that ships with the gateway each runs and prints something, or says that its prompt is too long
    for so small a model: their own instructions are many times longer than the question."""
    done = run(PROGRAMS[name], packages, home, tmp_path, "local", "What is the capital of France? One word.")
    said = done.out + done.err
    answered = done.status == 0 and done.out.strip()
    assert answered or re.search("context", said), said
