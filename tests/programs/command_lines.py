"""Command lines that talk to models, from npm: how each is told about the gateway, and started with one prompt.

What is set here is what docs/clients.md tells a reader to set.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.site import Site
from tests.support.gateway import to_toml
from tests.support.node import NODE


@dataclass(frozen=True)
class Run:
    """What a program printed, and its exit status."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Start:
    """A command, the variables it needs, and what it reads from standard input."""

    command: list[str]
    variables: dict[str, str]
    text: str = ""


def _binary(packages: Path, pattern: str) -> str:
    """A program that npm chose for this machine."""
    found = sorted(one for one in (packages / "node_modules").glob(pattern) if "baseline" not in str(one))
    assert found, f"npm has installed nothing like {pattern}"
    return str(found[0])


def claude_code(packages: Path, site: Site, home: Path, model: str, prompt: str) -> Start:
    """Claude Code, on Anthropic's Messages."""
    variables = {
        "ANTHROPIC_BASE_URL": site.root,
        "ANTHROPIC_AUTH_TOKEN": site.key,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    program = _binary(packages, "@anthropic-ai/claude-code-*/claude")
    return Start([program, "-p", prompt, "--model", model], variables)


def codex(packages: Path, site: Site, home: Path, model: str, prompt: str) -> Start:
    """Codex, on OpenAI's Responses."""
    provider = {"name": "Encke", "base_url": site.base_url, "env_key": "ENCKE_KEY", "wire_api": "responses"}
    settings = {"model": model, "model_provider": "encke", "model_providers": {"encke": provider}}
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text(to_toml(settings))
    program = str(packages / "node_modules/@openai/codex/bin/codex.js")
    options = ["--skip-git-repo-check", "--sandbox", "danger-full-access"]
    return Start([str(NODE), program, "exec", *options, prompt], {"ENCKE_KEY": site.key})


def gemini(packages: Path, site: Site, home: Path, model: str, prompt: str) -> Start:
    """Gemini CLI, on Gemini's generateContent."""
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    (home / ".gemini").mkdir()
    (home / ".gemini" / "settings.json").write_text(json.dumps(settings))
    program = str(packages / "node_modules/@google/gemini-cli/bundle/gemini.js")
    variables = {"GEMINI_API_KEY": site.key, "GOOGLE_GEMINI_BASE_URL": site.root}
    return Start([str(NODE), program, "-p", prompt, "-m", model, "--skip-trust"], variables)


def opencode(packages: Path, site: Site, home: Path, model: str, prompt: str) -> Start:
    """opencode, on OpenAI's chat completions."""
    provider: dict[str, Any] = {"npm": "@ai-sdk/openai-compatible", "name": "Encke", "models": {model: {}}}
    provider["options"] = {"baseURL": site.base_url, "apiKey": "{env:ENCKE_KEY}"}
    settings = {"model": f"encke/{model}", "autoupdate": False, "share": "disabled", "provider": {"encke": provider}}
    (home / "work" / "opencode.json").write_text(json.dumps(settings))
    program = _binary(packages, "opencode-*/bin/opencode")
    return Start([program, "run"], {"ENCKE_KEY": site.key}, prompt)  # as an argument it would be quoted anew


Program = Callable[[Path, Site, Path, str, str], Start]
PROGRAMS: dict[str, Program] = {"claude": claude_code, "codex": codex, "gemini": gemini, "opencode": opencode}


def run(program: Program, packages: Path, site: Site, home: Path, model: str, prompt: str) -> Run:
    """Start it in `home`/work with one prompt, with nothing of this user's settings, and no way out but the gateway."""
    (home / "work").mkdir(parents=True, exist_ok=True)
    start = program(packages, site, home, model, prompt)
    nowhere = "http://127.0.0.1:9"
    proxies = {"HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    own = {"PATH": f"{NODE.parent}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb"}
    env = {**own, **proxies, **start.variables}
    done = subprocess.run(
        start.command, cwd=home / "work", env=env, input=start.text, capture_output=True, text=True, timeout=300
    )
    return Run(done.returncode, done.stdout, done.stderr)
