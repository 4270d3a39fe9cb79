"""Usage of Cohere's: what is charged."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from encke.core.usage import Usage
from encke.dialects.cohere_chat.usage import parse_usage


def parse(usage: Any) -> Usage | None:
    return parse_usage(msgspec.Raw(json.dumps(usage).encode()))


def test_what_is_billed_is_counted() -> None:
    """Not what the model read, of which most is Cohere's own and is not charged; nor what was cached of that."""
    told = {
        "billed_units": {"input_tokens": 51, "output_tokens": 13},
        "tokens": {"input_tokens": 1533, "output_tokens": 36},
        "cached_tokens": 1440,
    }
    assert parse(told) == Usage(input=51, output=13)
    del told["billed_units"]
    assert parse(told) == Usage(input=1533, output=36)


def test_thoughts_and_images_are_parts_of_what_is_billed() -> None:
    """They are cut to it where they are more, so that the sums stay what is charged."""
    told = {
        "billed_units": {"input_tokens": 522, "output_tokens": 147},
        "tokens": {"input_tokens": 501, "output_tokens": 152, "image_tokens": 518, "reasoning_tokens": 145},
    }
    assert parse(told) == Usage(input=4, image_input=518, output=2, reasoning=145)
    told["tokens"] = {"reasoning_tokens": 1000, "image_tokens": 1000}
    assert parse(told) == Usage(input=0, image_input=522, output=0, reasoning=147)


@pytest.mark.parametrize(
    "usage", [None, {}, 7, [], {"billed_units": {}}, {"billed_units": {"input_tokens": -1}}, {"tokens": "many"}]
)
def test_nothing_told_is_nothing_known(usage: Any) -> None:
    """Absent, empty, negative and of wrong types."""
    assert parse(usage) is None
    assert parse_usage(msgspec.Raw(b"")) is None
    assert parse({"billed_units": {"input_tokens": 1e300}}) is None
