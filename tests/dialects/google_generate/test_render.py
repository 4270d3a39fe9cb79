"""What goes to an upstream of the same dialect: what came, but for the limit and a model in the body."""

from __future__ import annotations

import json

import pytest

from encke.dialects.google_generate.parse import parse_request
from encke.dialects.google_generate.render import render_request

ODD = b'{ "contents" : [{"parts":[{"text":"h\\u0069"}]}],"safety_settings":[],  "x":1e2 }'


def sent(data: bytes, route: str = "generate", limit: int = 0, model: str = "real") -> bytes:
    """The body for upstream."""
    request = parse_request(route, data, "asked:generateContent")
    request.output_limit = limit
    return b"".join(render_request(request, model))


def test_nothing_changes() -> None:
    """Not a byte: the model stands in the path."""
    assert sent(ODD) == ODD


@pytest.mark.parametrize("name", ["generationConfig", "generation_config"])
def test_the_gateways_limit(name: str) -> None:
    """It is set by the name that is there, in place of either spelling; other settings stay as they were."""
    data = b'{"contents":[],"%b":{"max_output_tokens":null,"temperature":1.0}}' % name.encode()
    assert sent(data, limit=9) == b'{"contents":[],"%b":{"temperature":1.0,"maxOutputTokens":9}}' % name.encode()
    assert json.loads(sent(ODD, limit=9))["generationConfig"] == {"maxOutputTokens": 9}


@pytest.mark.parametrize(
    ("route", "data", "expected"),
    [
        ("generate", b'{"model":"models/asked","contents":[]}', b'{"model":"models/real","contents":[]}'),
        ("generate", b'{"model":"models/real","contents":[]}', b'{"model":"models/real","contents":[]}'),
        ("embed_content", b'{"model":"asked","content":{}}', b'{"model":"real","content":{}}'),
        (
            "google_count",
            b'{"generateContentRequest":{"contents":[],"model":"models/asked"}}',
            b'{"generateContentRequest":{"contents":[],"model":"models/real"}}',
        ),
        (
            "batch_embed",
            b'{"requests":[{"model":"models/asked","content":{}},{"model":"models/real"}]}',
            b'{"requests":[{"model":"models/real","content":{}},{"model":"models/real"}]}',
        ),
        ("batch_embed", b'{"requests":[{"model":1}, 2]}', b'{"requests":[{"model":1}, 2]}'),
    ],
)
def test_a_model_in_the_body_is_the_targets(route: str, data: bytes, expected: bytes) -> None:
    """Wherever this dialect repeats it; what cannot be read is the provider's to refuse."""
    assert sent(data, route) == expected
