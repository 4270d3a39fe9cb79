"""What a request says of its answer's length, and of what nobody can bound."""

from __future__ import annotations

import pytest

from encke.dialects.openai_chat.bounds import copies, output_limit, unbounded
from encke.dialects.openai_chat.parse import parse_request
from encke.dialects.openai_chat.render import render_request
from encke.dialects.request import Request


def ask(more: str = "", messages: str = '[{"role":"user","content":"hi"}]') -> Request:
    """A request with more fields."""
    return parse_request("chat", f'{{"model":"m","messages":{messages}{more}}}'.encode())


@pytest.mark.parametrize(
    ("more", "limit", "count"),
    [
        ("", None, 1),
        (',"max_tokens":7', 7, 1),
        (',"max_completion_tokens":9,"max_tokens":7', 9, 1),
        (',"max_tokens":null,"n":3', None, 3),
        (',"max_tokens":"7","n":"x"', None, 1),
        (',"max_tokens":-7,"n":0', None, 1),
        (',"max_tokens":1.5', None, 1),
        (',"max_tokens":99999999999999999999', None, 1),
    ],
)
def test_limits(more: str, limit: int | None, count: int) -> None:
    """Either name counts, the larger of both; what is no whole number above zero is no limit."""
    body = ask(more).body
    assert (output_limit(body), copies(body)) == (limit, count)


PART = '[{{"role":"user","content":[{{"type":"text","text":"x"}},{{"type": "{}","x":1}}]}}]'


@pytest.mark.parametrize(
    ("more", "messages", "what"),
    [
        ("", '[{"role":"user","content":"{\\"type\\":\\"image_url\\"}"}]', None),
        ("", PART.format("text"), None),
        ("", PART.format("image_url"), "image_url"),
        ("", PART.format("input_audio"), "input_audio"),
        ("", PART.format("file"), "file"),
        (',"web_search_options":{}', "[]", "web_search_options"),
        (',"prediction":null,"service_tier":"default"', "[]", None),
        (',"service_tier":"priority"', "[]", "service_tier"),
        (',"tools":[{"type":"function","function":{"parameters":{"type":"object"}}}]', "[]", None),
        (',"tools":[{"type":"web_search"}]', "[]", "web_search"),
        (',"tools":[{}]', "[]", "None"),
        (',"tools":7', "[]", "tools"),
        ("", PART.format("\\u0069mage_url"), "image_url"),
        ("", PART.format("x-image"), "x-image"),
        ("", '[{"role":"user","content":[{"\\u0074ype":"image_url"}]}]', "image_url"),
        ("", '[{"role":"user","content":[{"image_url":{"url":"https://x"}}]}]', "image_url"),
        ("", '[{"role":"assistant","audio":{"id":"audio_1"}}]', "audio"),
        ("", '[{"role":"user","content":"\\u0022type\\u0022:\\u0022image_url\\u0022"}]', None),
        (',"n":"3"', "[]", "n"),
        (',"n":3', "[]", None),
        (',"n":99999999', "[]", "n"),
        (',"models":["dear"]', "[]", "models"),
        (',"search_parameters":{"mode":"on"}', "[]", "search_parameters"),
        (',"modalities":["text"],"enable_search":false', "[]", None),
        (',"modalities":["text","image"]', "[]", "modalities"),
    ],
)
def test_unbounded(more: str, messages: str, what: str | None) -> None:
    """Media, tools of the provider's own and such are named; a caller's text may say what it likes."""
    assert unbounded(ask(more, messages).body) == what


def test_a_limit_of_the_gateway() -> None:
    """It goes out under the provider's name for it, in place of one that says nothing."""
    request = ask(',"max_tokens":null')
    request.output_limit = 4096
    body = b"".join(render_request(request, "up", "option", "max_completion_tokens"))
    assert body == b'{"model":"up","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":4096}'


@pytest.mark.parametrize(
    ("prompt", "more", "count"),
    [
        ('"one"', "", 1),
        ('["a","b, c","d"]', "", 3),
        ('["a","b"]', ',"n":3', 6),
        ('["a","b"]', ',"n":2,"best_of":4', 8),
        ("[1,2,3]", "", 1),
        (" [ [1,2], [3] ] ", "", 2),
        ("[]", "", 1),
        (f"[{','.join(['[1]'] * 150_000)}]", "", 1 << 16),
        ('"x"', ',"n":67108864', 1 << 16),
    ],
)
def test_prompts_are_answered_each(prompt: str, more: str, count: int) -> None:
    """A list of prompts has as many answers, each as long as the limit says; a list of tokens is one prompt."""
    body = parse_request("completions", f'{{"model":"m","prompt":{prompt}{more}}}'.encode()).body
    assert copies(body) == count
