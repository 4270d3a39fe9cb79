"""Which wire a request is written in, by its path.

Mistral's and Voyage's paths are OpenAI's: theirs are told by `/mistral/` or `/voyage/` in the base URL.
"""

from __future__ import annotations

from encke.testing.polite import Answer, Options
from encke.testing.request import Request
from encke.testing.wires.cohere import CohereAnswer
from encke.testing.wires.gemini import GeminiAnswer
from encke.testing.wires.messages import MessagesAnswer
from encke.testing.wires.mistral import MistralAnswer
from encke.testing.wires.ollama import OllamaAnswer
from encke.testing.wires.responses import ResponsesAnswer

# The end of the path, and what has to be in it, if anything.
_WIRES: tuple[tuple[str, str, type[Answer]], ...] = (
    ("/chat/completions", "/mistral/", MistralAnswer),
    ("/chat/completions", "", Answer),
    ("/responses", "", ResponsesAnswer),
    ("/messages", "", MessagesAnswer),
    (":generateContent", "", GeminiAnswer),
    (":streamGenerateContent", "", GeminiAnswer),
    ("/v2/chat", "", CohereAnswer),
    ("/api/chat", "", OllamaAnswer),
)


def wire_of(request: Request) -> type[Answer] | None:
    """The class of its answer; None if it is no request for one."""
    if request.method != "POST":
        return None
    return next((kind for end, part, kind in _WIRES if request.path.endswith(end) and part in request.path), None)


def answer_to(request: Request, options: Options) -> Answer:
    """The polite answer in the request's wire; in OpenAI's chat if it has none of these."""
    return (wire_of(request) or Answer)(request, options)
