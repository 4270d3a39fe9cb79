"""Where our presets would send what was recorded, held against where it went: a table of explained differences.

A recorded exchange names its host, path, query and how the key was presented. The gateway's own request must agree in
all of them, or a row of DIFFERENCES says why not. EXPLAINED counts how often each row was needed.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from encke.providers.ops import AUTH_FIELDS, AUTH_HEADERS
from encke.testing.replay import Exchange
from encke.testing.request import Request
from tests.support.canaries import canary
from tests.support.presets import PRESETS, hosts

OTHER = "openai-compatible"  # a recorded provider that is nobody in particular

# Recorded as one provider, two or three to us: the first row that fits host and path.
SPLIT: tuple[tuple[str, str, str], ...] = (
    ("anthropic", r".*/v1/chat/completions", "anthropic-openai"),
    ("google", r".*/v1beta/openai/.*", "google-openai"),
    ("azure", r".*/models/chat/completions", "azure-inference"),
    ("azure", r".*/openai/v1/.*", "azure"),
    ("azure", r".*/openai/deployments/.*", "azure-deployments"),
    ("ollama", r"ollama\.com/.*", "ollama-cloud"),
)


class Difference(NamedTuple):
    """`part` of what was recorded: `host`, `target` (path and query) or `auth`; `recorded` fits it whole."""

    provider: str
    part: str
    recorded: str
    ours: str
    why: str


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "azure-deployments", "target", r"//(openai/deployments/.+)", r"/\1", "a client whose base URL ends in a slash"
    ),
    Difference(
        "azure-deployments",
        "target",
        r"(/openai/deployments/.+)\?api-version=(?!2024-10-21).+",
        r"\1?api-version=2024-10-21",
        "another version, which values.api_version chooses",
    ),
    Difference(
        "azure-deployments",
        "target",
        r"(/openai/deployments/[^?]+)",
        r"\1?api-version=2024-10-21",
        "the recorder left the query out",
    ),
    Difference("bedrock-mantle", "auth", "aws-sigv4", "bearer", "signed with AWS credentials, where we present a key"),
    Difference("cloudflare", "target", r"(.*/accounts/)ACCOUNT_ID(/.*)", r"\1account.example\2", "whose account it is"),
    Difference("deepseek", "target", r"/v1(/chat/completions)", r"\1", "an alias"),
    Difference(
        "huggingface",
        "target",
        r"/(?:together|hyperbolic|nebius)(/v1/chat/completions)",
        r"\1",
        "the provider behind was chosen by the path, now by the model's name",
    ),
    Difference(
        "huggingface", "target", r"/novita/v3/openai/chat/completions", "/v1/chat/completions", "the same, of one more"
    ),
    Difference("llamacpp", "host", r"127\.0\.0\.1", "", "the recorder left the port out"),
    Difference("llamacpp", "target", r"(/chat/completions)", r"/v1\1", "an alias"),
    Difference("ollama", "host", r"(?:0\.0\.0\.0|localhost):11434", "", "the same server by another name"),
    Difference("pollinations", "host", r"text\.pollinations\.ai", "", "the older address, given up by the provider"),
    Difference("pollinations", "target", "/openai", "/v1/chat/completions", "the older address"),
    Difference("together", "host", r"api\.together\.ai", "", "another name of the same service"),
    Difference("vllm", "host", r"localhost:8000", "", "the same server by another name"),
)
EXPLAINED: Counter[Difference] = Counter()


def provider_of(exchange: Exchange) -> str:
    """The preset that stands for a recorded provider."""
    request = exchange.record["request"] or {}
    where = f"{request.get('host')}{request.get('path')}"
    fitting = (preset for name, pattern, preset in SPLIT if name == exchange.provider and re.fullmatch(pattern, where))
    return next(fitting, exchange.provider)


def request_problems(provider: str, exchange: Exchange, sent: Request) -> list[str]:
    """How a request that the gateway sent differs from the recorded one beyond what is explained."""
    recorded = exchange.record["request"] or {}
    preset = PRESETS.get(provider)
    if preset is None or not recorded.get("path"):
        return []
    query = f"?{recorded['query']}" if recorded.get("query") else ""
    target = explained(provider, "target", f"{recorded['path']}{query}")
    # The deployment in the path is the model, which is ours here.
    target = re.sub(r"/deployments/[^/]+/", f"/deployments/{sent.model}/", target)
    problems = [] if sent.target == target else [f"sent to {sent.target}, recorded {target}"]
    host = recorded.get("host")
    if host and not hosts(preset).fullmatch(host) and explained(provider, "host", host):
        problems.append(f"the preset's host is {preset.base_url}, recorded {host}")
    key = f"sk-upstream-{canary('relay_key')}"
    presented = preset.auth or "bearer"
    name, _, shown = AUTH_FIELDS[presented].format(key).strip().partition(": ")
    if sent.header(name) != shown or len(set(AUTH_HEADERS.values()) & {n for n, _ in sent.headers}) > 1:
        problems.append(f"{name} is {sent.header(name)}")
    auth = recorded.get("auth")
    if auth is not None and explained(provider, "auth", auth) != presented:
        problems.append(f"presents its key by {presented}, recorded {auth}")
    return problems


def explained(provider: str, part: str, recorded: str) -> str:
    """What ours would be: as recorded, or as the rows that fit say, in their order."""
    for row in DIFFERENCES:
        if row.provider == provider and row.part == part and re.fullmatch(row.recorded, recorded):
            EXPLAINED[row] += 1
            recorded = re.sub(row.recorded, row.ours, recorded)
    return recorded
