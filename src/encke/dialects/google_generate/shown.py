"""What Google calls the hub's fields, for what callers of this dialect are told was left out."""

from __future__ import annotations

from typing import Final

from encke.dialects.google_generate.render_chat import CONFIG
from encke.dialects.google_generate.signature import ORIGIN

_FIELDS: Final = {
    "max_tokens": "generationConfig.maxOutputTokens",
    "temperature": "generationConfig.temperature",
    "top_p": "generationConfig.topP",
    "top_k": "generationConfig.topK",
    "stop": "generationConfig.stopSequences",
    "n": "generationConfig.candidateCount",
    "seed": "generationConfig.seed",
    "presence_penalty": "generationConfig.presencePenalty",
    "frequency_penalty": "generationConfig.frequencyPenalty",
    "logprobs": "generationConfig.responseLogprobs",
    "top_logprobs": "generationConfig.logprobs",
    "format": "generationConfig.responseMimeType",
    "reasoning": "generationConfig.thinkingConfig",
    "thinking": "thoughtSignature",
    "reasoning.summary": "generationConfig.thinkingConfig.includeThoughts",
    "modalities": "generationConfig.responseModalities",
    "tool_choice": "toolConfig.functionCallingConfig",
    "service_tier": "serviceTier",
    "dimensions": "outputDimensionality",
    "purpose": "taskType",
}


def shown(name: str) -> str:
    """A field's name here."""
    found = _FIELDS.get(name)
    if found is not None:
        return found
    own = name.removeprefix(f"{ORIGIN}.")
    return f"generationConfig.{own}" if own in CONFIG else own
