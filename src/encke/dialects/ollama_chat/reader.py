"""Streams of Ollama's chat, read: one line after the other; the last has `done`."""

from __future__ import annotations

from typing import Final

from encke.core.delta import ARGUMENTS, CLOSE, FINISH, LOGPROBS, START, TEXT, THINKING, TOOL, USAGE, Delta
from encke.core.faults import Fault
from encke.dialects.faults import fault_in_stream
from encke.dialects.ollama_chat.parse import call_of, finish_of, has_error, logprob_of, parse_line, usage_of
from encke.dialects.ollama_chat.wire import Call, Line
from encke.dialects.port import Reader

_TEXT: Final = 0  # keys: this wire knows no blocks
_THINKING: Final = 1
_CALLS: Final = 2


class OllamaReader(Reader):
    """Reads one stream."""

    def __init__(self, call_id: str) -> None:
        super().__init__()
        self._call_id = call_id
        self._began = False
        self._calls = 0

    def feed(self, data: bytes) -> list[Delta]:
        """See `Reader`."""
        line = parse_line(data)
        if line is None:
            return []
        if has_error(line):
            self.fault = fault_in_stream(line.error)
            return []
        deltas: list[Delta] = []
        if not self._began:
            self._began = True
            deltas.append(Delta(START, name=line.model or "", data=0))
        message = line.message
        if message is not None:
            if message.thinking:
                deltas.append(Delta(THINKING, 0, _THINKING, message.thinking))
            if message.content:
                deltas.append(Delta(TEXT, 0, _TEXT, message.content))
            for call in message.tool_calls or ():
                self._call(call, deltas)
        if line.logprobs:
            deltas.append(Delta(LOGPROBS, data=tuple(logprob_of(one) for one in line.logprobs)))
        if line.done:
            self._end(line, deltas)
        return deltas

    def _call(self, call: Call, deltas: list[Delta]) -> None:
        whole = call_of(call, self._call_id, self._calls)
        key = _CALLS + self._calls
        self._calls += 1
        deltas.append(Delta(TOOL, 0, key, name=whole.name, id=whole.id))
        deltas.append(Delta(ARGUMENTS, 0, key, whole.arguments))
        deltas.append(Delta(CLOSE, 0, key))

    def _end(self, line: Line, deltas: list[Delta]) -> None:
        usage = usage_of(line)
        if usage is not None:
            self.usage = usage
            deltas.append(Delta(USAGE))
        reason = line.done_reason
        if not reason:
            # Ollama writes no reason where its runner has broken the connection.
            self.fault = Fault(
                "upstream_bad_response", "The provider's stream ended without telling why.", verdict="next"
            )
            return
        self.finish_reason = reason
        self.finished = self.ended = True
        deltas.append(Delta(FINISH, name=finish_of(reason, self._calls > 0), id=reason))
