"""Fields that no shape names."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from encke.core.chat import Foreign
from encke.core.faults import Fault
from encke.dialects.openai_chat.parts import read_part as read_chat_part
from encke.dialects.openai_chat.tools import read_tools
from encke.dialects.openai_responses.parts import read_part as read_responses_part
from encke.dialects.strays import Strays


class One(msgspec.Struct):
    """A shape."""

    a: int


class Strict(One, forbid_unknown_fields=True):
    """The same, and nothing else."""


class Unwalked(dict[str, bytes]):
    """Nobody goes through all of it."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("it was walked through")


def chat_part(strays: Strays) -> object:
    """Of nobody else."""
    return read_chat_part(msgspec.Raw(b'{"type":"video_url","video_url":{"url":"x"},"foo":1}'), "p[1]", strays)


def chat_tool(strays: Strays) -> object:
    """Of nobody else."""
    return read_tools({"tools": msgspec.Raw(b'[{"type":"special","foo":1}]')}, strays)[0]


def responses_part(strays: Strays) -> object:
    """Of nobody else."""
    return read_responses_part(msgspec.Raw(b'{"type":"computer_screenshot","foo":1}'), "p[1]", strays)


STRICT = msgspec.json.Decoder(Strict)
LOOSE = msgspec.json.Decoder(One)


def test_fields_that_a_shape_does_not_name_are_lost() -> None:
    """But those that are harmless, and those that ask for nothing."""
    strays = Strays("x")
    assert strays.read(b'{"a":1}', STRICT, LOOSE, "p[0]") == Strict(1) and strays.lost == {}
    data = b'{"a":1,"b":2,"c":null,"d":[],"id":"1","e":{"f":1}}'
    assert strays.read(data, STRICT, LOOSE, "p[1]", ("id",)).a == 1
    assert strays.lost == {"x.p[1].b": b"2", "x.p[1].e": b'{"f":1}'}
    strays.forget(1)
    assert strays.lost == {"x.p[1].b": b"2"}


def test_what_is_wrong_is_told_as_ever() -> None:
    """The place and the types."""
    with pytest.raises(Fault, match=r"`p\.a` must be an integer, not a string") as caught:
        Strays("x").read(b'{"a":"1","b":2}', STRICT, LOOSE, "p")
    assert caught.value.param == "p.a"


@pytest.mark.parametrize("foreign", [chat_part, chat_tool, responses_part])
def test_what_goes_on_as_it_is_has_lost_nothing(foreign: Callable[[Strays], object]) -> None:
    """And costs its own size, however much was lost before it."""
    strays = Strays("openai_chat")
    before = {f"openai_chat.p[0].{at}": b"1" for at in range(100)}
    strays.lost = Unwalked(before)
    assert isinstance(foreign(strays), Foreign)
    assert len(strays.lost) == len(before) and strays.lost == before
