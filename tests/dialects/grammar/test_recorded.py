"""The checkers take what the makers of the dialects send themselves. Where these break their own grammar, it is said
why: a caller's stream of ours is held against the rule all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from encke.testing import replay
from encke.testing.replay import Exchange
from tests.conftest import Count, Size
from tests.dialects.grammar import chat, generate, messages, responses
from tests.dialects.grammar.book import Book
from tests.support import recordings

pytestmark = pytest.mark.recordings


def _generate(data: bytes) -> Book:
    if data.lstrip().startswith(b"["):
        return generate.check_array(data)
    return generate.check(data, crlf=b"\r\n" in data)


# Who made a dialect, or runs it for them; what checks its streams; and how many of its exact recordings are clean at
# least, in thousandths.
MAKERS: dict[tuple[str, str], tuple[Callable[[bytes], Book], int]] = {
    ("openai", "openai.chat"): (chat.check, 940),
    ("openai", "openai.responses"): (responses.check, 940),
    ("azure", "openai.responses"): (responses.check, 1000),
    ("xai", "openai.responses"): (responses.check, 1000),
    ("anthropic", "anthropic.messages"): (messages.check, 995),
    ("google", "google.generateContent"): (_generate, 910),
    ("vertex", "google.generateContent"): (_generate, 930),
}
_PROXY = "recorded through another provider's address, which repeats the role and sends usage beside a choice"
_AUDIO = "the audio models' chunks: some without choices, usage in the middle, the end of the audio after it"
_OLD = "recorded in the first weeks of the API, before sequence_number and logprobs were there"
_EDITED = "a test fixture that its project wrote by hand"
# (provider, rule): why a maker breaks it.
EXPLAINED: dict[tuple[str, str], str] = {
    ("openai", "frame.field"): "a recording with a space before `data:`: " + _PROXY,
    ("openai", "frame.blank_line"): _EDITED,
    ("openai", "chat.role_once"): _PROXY + "; " + _AUDIO,
    ("openai", "chat.usage_place"): _PROXY + "; moderation results come in a chunk after the one with usage",
    ("openai", "chat.empty"): "moderation results come in a chunk without choices and usage",
    ("openai", "chat.after_finish"): _PROXY,
    ("openai", "chat.call_once"): _PROXY,
    ("openai", "chat.call_arguments"): _PROXY,
    ("openai", "chat.call_json"): _PROXY,
    ("openai", "chat.fields"): _AUDIO,
    ("openai", "chat.choice"): _AUDIO,
    ("openai", "chat.no_finish"): _AUDIO,
    ("openai", "chat.error"): _AUDIO + "; their error says `detail`, too",
    ("openai", "chat.after_end"): _AUDIO + "; after an error they end with [DONE]",
    ("openai", "responses.sequence"): _OLD + "; what is followed while it runs in the background may begin later",
    ("openai", "responses.fields"): _OLD,
    ("openai", "responses.no_done"): _OLD,
    ("openai", "responses.done_value"): _OLD + "; a summary that was still being changed",
    ("openai", "responses.begin"): _EDITED + "; what runs in the background is followed from where it is",
    ("openai", "responses.response"): _EDITED,
    ("openai", "responses.one_item"): _EDITED,
    ("openai", "responses.part"): _EDITED,
    ("openai", "responses.no_end"): _EDITED,
    ("anthropic", "messages.block"): "thinking blocks began without `signature` when they were new",
    ("google", "generate.finish_word"): "asked for with enums as numbers",
    ("vertex", "generate.finish_word"): "asked for with enums as numbers",
    ("google", "generate.usage_shrinks"): "Gemini counts the prompt anew in its last chunk, at times to less",
    ("google", "generate.usage_sum"): "a last chunk without promptTokenCount, whose total has it all the same",
}


def streams(provider: str, api: str) -> Iterator[Exchange]:
    """Those that are as they were sent."""
    for one in replay.recorded(recordings.folder(), api=api, provider=provider, exact=True):
        if one.stream and one.status == 200:
            yield one


def test_makers_of_dialects_keep_to_their_grammar(size: Size, count: Count) -> None:
    """Nearly all of what they sent is clean; rules that they break have their reasons, and no reason is left over."""
    step = size(4, soak=1)
    unexplained: list[str] = []
    used: set[tuple[str, str]] = set()
    total = 0
    for (provider, api), (check, least) in MAKERS.items():
        found: Counter[bool] = Counter()
        for one in list(streams(provider, api))[::step]:
            book = check(one.body)
            found[not book.breaches] += 1
            total += 1
            used |= {(provider, rule) for rule in book.rules}
            if any((provider, rule) not in EXPLAINED for rule in book.rules):
                unexplained.append(f"{provider} {one.id}: {book}")
        count(f"grammar: {provider} {api}: {found[True]} of {found.total()} recorded streams are clean")
        assert step > 1 or found[True] * 1000 >= least * found.total(), (provider, api, found)
    assert len(unexplained) <= total // 200, "\n".join(unexplained[:10])  # a new oddity is no mistake of ours
    assert step > 1 or used == EXPLAINED.keys(), EXPLAINED.keys() - used
