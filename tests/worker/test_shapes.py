"""Lists of models as callers of each dialect know them, held against their own packages' types."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from anthropic.types import ModelInfo
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from encke.core.faults import Fault
from encke.core.traits import Capabilities
from encke.worker.shapes import CHAT, GENERATE, MESSAGES, Shown, details, one, page, shape_of

IDS = [f"lab/m{at}" for at in range(7)]


def show(at: int) -> Shown:
    """Made up."""
    return Shown(IDS[at], 0, "", Capabilities())


def asked(shape: str, **query: object) -> dict[str, Any]:
    """A page."""
    return page(shape, IDS, show, urlencode(query).encode())


@pytest.mark.parametrize(
    ("path", "headers", "shape"),
    [
        ("/v1/models", {}, CHAT),
        ("/v1/models", {b"x-api-key": b"k"}, CHAT),
        ("/v1/models", {b"anthropic-version": b"2023-06-01", b"x-api-key": b"k"}, MESSAGES),
        ("/v1/models/lab/m", {b"anthropic-version": b"2023-06-01"}, MESSAGES),
        ("/v1/models", {b"x-goog-api-key": b"k"}, GENERATE),
        ("/v1beta/models", {}, GENERATE),
        ("/v1beta/models/lab/m", {b"anthropic-version": b"2023-06-01"}, GENERATE),
    ],
)
def test_the_shape_that_is_asked_for(path: str, headers: dict[bytes, bytes], shape: str) -> None:
    """By path and headers."""
    assert shape_of(path, headers) == shape


def test_their_own_packages_read_it() -> None:
    """Every field that their types need is there, with the right type."""
    shown = Shown("lab/m", 1_779_926_400, "M", Capabilities(context=10, max_output=4), chats=True, embeds=False)
    info = ModelInfo.model_validate(one(MESSAGES, shown))
    assert (info.id, info.display_name, info.max_input_tokens, info.max_tokens) == ("lab/m", "M", 10, 4)
    assert info.created_at.isoformat() == "2026-05-28T00:00:00+00:00"
    assert ModelInfo.model_validate(one(MESSAGES, show(0))).created_at.year == 1970
    model = types.Model.model_validate(
        {("supportedActions" if name == "supportedGenerationMethods" else name): value
         for name, value in one(GENERATE, shown).items()}
    )  # fmt: skip
    assert (model.name, model.display_name, model.input_token_limit) == ("models/lab/m", "M", 10)
    assert model.supported_actions == ["generateContent", "countTokens"]
    assert "inputTokenLimit" not in one(GENERATE, show(0))


def test_details() -> None:
    """All of them, known or not."""
    said = details(Shown("m", 0, "", Capabilities(images=False, efforts=("low",))))["capabilities"]
    assert said["images"] is False and said["tools"] is True and list(said["efforts"]) == ["low"]
    assert set(said) == set(Capabilities.__struct_fields__)


@given(st.integers(1, 9))
def test_pages_forward(size: int) -> None:
    """Page by page, every model once and in order; the last says that it is."""
    found, query, more = [], {"limit": size}, True
    while more:
        got = asked(MESSAGES, **query)
        found += [each["id"] for each in got["data"]]
        assert (got["first_id"], got["last_id"]) == (got["data"][0]["id"], got["data"][-1]["id"])
        query, more = {"limit": size, "after_id": got["last_id"]}, got["has_more"]
    assert found == IDS
    names, token = [], ""
    while True:
        got = asked(GENERATE, pageSize=size, **({"pageToken": token} if token else {}))
        names += [each["name"] for each in got["models"]]
        token = got.get("nextPageToken", "")
        if not token:
            break
        assert quote(token, safe="=") == token
    assert names == [f"models/{id}" for id in IDS]


def test_pages_backward() -> None:
    """Those before one, and whether there are more before them."""
    got = asked(MESSAGES, limit=2, before_id="lab/m3")
    assert [each["id"] for each in got["data"]] == ["lab/m1", "lab/m2"] and got["has_more"] is True
    got = asked(MESSAGES, limit=20, before_id="lab/m1")
    assert [each["id"] for each in got["data"]] == ["lab/m0"] and got["has_more"] is False
    assert asked(MESSAGES, before_id="lab/m0") == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize(
    ("shape", "query", "param"),
    [
        (MESSAGES, {"limit": "0"}, "limit"),
        (MESSAGES, {"limit": "x"}, "limit"),
        (MESSAGES, {"after_id": "nope"}, "after_id"),
        (MESSAGES, {"after_id": "lab/m1", "before_id": "lab/m2"}, "before_id"),
        (GENERATE, {"pageSize": "-1"}, "pageSize"),
        (GENERATE, {"pageToken": "?"}, "pageToken"),
        (GENERATE, {"pageToken": "bm9wZQ=="}, "pageToken"),
    ],
)
def test_what_cannot_be_asked(shape: str, query: dict[str, str], param: str) -> None:
    """Is told with the parameter's name."""
    with pytest.raises(Fault) as told:
        asked(shape, **query)
    assert (told.value.code, told.value.param) == ("invalid_value", param)
