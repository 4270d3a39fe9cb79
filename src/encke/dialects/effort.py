"""How much to think, as a word and in tokens: the numbers are those that Google's OpenAI-compatible address documents
for its own models (ai.google.dev/gemini-api/docs/openai), with the words around them that others have.
"""

from __future__ import annotations

from typing import Final

from encke.dialects.typed import unknown

BUDGETS: Final[dict[str, int]] = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 32768,
    "max": 65536,
}
LEVELS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


# Words that some clients and servers have (Groq's `default`, LiteLLM's `disable`); "" leaves it to the model.
_ALIKE: Final = {"": "", "default": "", "auto": "", "unset": "", "disable": "none", "disabled": "none", "off": "none"}


def checked(effort: str, path: str) -> str:
    """A word that a caller sent, as one of `LEVELS`, or "" where it leaves that to the model. Raises Fault
    invalid_value for one that nobody knows: what it would mean for a model of another dialect cannot be told."""
    word = effort.lower()
    word = _ALIKE.get(word, word)
    if word and word not in LEVELS:
        raise unknown(path, effort, LEVELS)
    return word


def budget_of(effort: str) -> int | None:
    """Tokens for a word; None for one that nobody knows."""
    return BUDGETS.get(effort)


def effort_of(budget: int) -> str:
    """The word for so many tokens: the least that has as many. -1, as the model likes, is medium."""
    if budget < 0:
        return "medium"
    if budget == 0:
        return "none"
    return next((word for word in ("low", "medium", "high", "xhigh") if budget <= BUDGETS[word]), "max")


def nearest(effort: str, known: tuple[str, ...]) -> str:
    """The known word that is nearest to one, the lesser of two; "" if there is none or the word is not one of ours."""
    if effort in known or effort not in LEVELS:
        return effort if effort in known else ""
    at = LEVELS.index(effort)
    found = sorted((abs(LEVELS.index(word) - at), LEVELS.index(word)) for word in known if word in LEVELS)
    return LEVELS[found[0][1]] if found else ""
