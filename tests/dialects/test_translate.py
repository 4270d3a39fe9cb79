"""The translator between a reader and a writer: flags, Content, the end, and failures."""

from __future__ import annotations

from encke.core.delta import FINISH, TEXT, USAGE, Delta
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.port import CONTENT, DROP, END, ERROR, Reader, Writer
from encke.dialects.translate import Translator


class Words(Reader):
    """One word an event; "." ends, "!" is a failure, "$" tells usage."""

    def feed(self, data: bytes) -> list[Delta]:
        word = data.decode()
        if word == "!":
            self.fault = Fault("upstream_error", "It broke.")
            return []
        if word == "$":
            self.usage = Usage(input=1, output=2)
            return [Delta(USAGE)]
        if word == ".":
            self.finish_reason = "stop"
            self.finished = self.ended = True
            return [Delta(FINISH, name="stop")]
        return [Delta(TEXT, text=word)] if word else []


class Lines(Writer):
    """A line for each text; the end says the usage."""

    def feed(self, delta: Delta) -> None:
        if delta.kind == TEXT:
            self.out.append(delta.text.encode() + b"\n")

    def finish(self, usage: Usage | None) -> None:
        self.out.append(b"end %d\n" % (usage.output if usage else 0))

    def break_off(self, fault: Fault, request_id: str) -> bytes:
        return fault.code.encode()


def test_a_stream_from_its_first_word_to_its_end() -> None:
    """White space is no content before there is some; the end comes with usage, in one piece with what led to it."""
    tap = Translator(Words(), Lines())
    assert tap.feed(b" ") == 0 and tap.take() == b" \n"
    assert tap.feed(b"a") == CONTENT and tap.take() == b"a\n" and tap.content_bytes == 2
    assert tap.feed(b"") == DROP and tap.take() == b""
    assert tap.feed(b"$") == DROP and tap.usage == Usage(input=1, output=2) and tap.usage_at == 2
    before = tap.finished
    assert tap.feed(b".") & END and (before, tap.finished, tap.finish_reason) == (False, True, "stop")
    assert tap.take() == b"end 2\n" and tap.close() == b""


def test_a_failure_is_the_readers() -> None:
    """What the reader calls a failure is one, and the writer says it."""
    tap = Translator(Words(), Lines())
    tap.feed(b"a")
    assert tap.feed(b"!") == ERROR and tap.fault is not None
    assert tap.break_off(tap.fault, "id") == b"upstream_error"
