"""OpenRouter's entries of thoughts, and Google's signatures."""

from __future__ import annotations

import json

import msgspec

from encke.core.chat import Thinking
from encke.dialects.openai_chat.message_wire import Detail
from encke.dialects.openai_chat.thoughts import details_of, extra_content, origin_of, signature_in, thoughts_of


def test_whose_a_signature_is() -> None:
    """The documented formats; the gateway's own for the rest; what nobody knows is nobody's."""
    assert (
        origin_of("anthropic-claude-v1") == "anthropic_messages" and origin_of("google-gemini-v1") == "google_generate"
    )
    assert origin_of("openai-responses-v1") == "openai_responses" and origin_of("encke:cohere_chat") == "cohere_chat"
    assert origin_of("unknown") == origin_of("xai-responses-v1") == origin_of(None) == ""


def test_an_entry_of_an_unknown_format_is_kept_whole() -> None:
    """It can go back only as it came, to this dialect."""
    entry = {"type": "reasoning.encrypted", "data": "x", "format": "xai-responses-v1", "id": "r", "index": 0}
    detail = msgspec.convert(entry, Detail)
    (thought,) = thoughts_of([detail], "", packed=False)
    assert thought.redacted and thought.origin == "openai_chat" and json.loads(thought.signature) == entry
    assert details_of(thought, 5) == [entry]


def test_a_summary_and_what_is_encrypted_of_it() -> None:
    """Two entries with numbers of their own, which clients do not make one of; read back as one thought, also under
    one number, as providers have them. What has another id is another thought's."""
    thought = Thinking("hm", "s", "openai_responses", summary=True, id="rs_1")
    entries = details_of(thought, 4)
    assert [entry["index"] for entry in entries] == [4, 5]
    lead, sealed = (msgspec.convert(entry, Detail) for entry in entries)
    assert thoughts_of([lead, sealed], "hm", packed=False) == [thought]
    assert thoughts_of([lead, msgspec.structs.replace(sealed, index=4)], "hm", packed=False) == [thought]
    other = msgspec.structs.replace(sealed, id="rs_2")
    assert [one.redacted for one in thoughts_of([lead, other], "hm", packed=False)] == [False, True]


def test_plain_text_is_the_thought_that_has_none() -> None:
    """Of several signed entries without text the first has it; beside an opaque one it stands before it."""
    signed = Detail("reasoning.text", signature="s", format="google-gemini-v1", index=0)
    assert thoughts_of([signed], "hm", packed=False) == [Thinking("hm", "s", "google_generate")]
    hidden = Detail("reasoning.encrypted", data="x", format="anthropic-claude-v1", index=0)
    assert thoughts_of([hidden], "hm", packed=False) == [
        Thinking("hm"),
        Thinking("", "x", "anthropic_messages", redacted=True),
    ]
    assert thoughts_of([], "hm", packed=False) == [Thinking("hm")] and thoughts_of([], "", packed=True) == []


def test_a_signature_that_is_no_entry_goes_back_as_one() -> None:
    """Whatever stands there."""
    for signature in ("not json", "{}", '{"type":"x"}'):
        assert details_of(Thinking("hm", signature, "openai_chat"), 0) == [
            {"type": "reasoning.text", "signature": signature, "text": "hm"}
        ]


def test_googles_place_for_signatures() -> None:
    """Bare for Google's, a carrier for others; anything else is none."""
    assert extra_content("s", "google_generate") == {"google": {"thought_signature": "s"}}
    assert extra_content("s", "cohere_chat")["google"]["thought_signature"].startswith("encke.cohere_chat.")
    assert signature_in(msgspec.Raw(b'{"google":{"thought_signature":"s"}}')) == "s"
    for raw in (b"", b"null", b"[1,2,3]", b'{"google":5}', b'{"google":{"thought_signature":5}}', b'{"google":{}}'):
        assert signature_in(msgspec.Raw(raw)) == ""
