"""Messages on the keeper's socket: a 4-byte little-endian length, then msgpack `[kind, id, payload]`. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

MAX_FRAME = 16 * 1024 * 1024
_HEAD = 4


class FrameError(Exception):
    """Bytes that are no frame, or a frame over the limit. The connection is of no more use."""


class Frame(msgspec.Struct, array_like=True, frozen=True):
    """`id` ties a reply to what it answers. `payload` is made of JSON types and bytes."""

    kind: str
    id: int
    payload: Any


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Frame)


def encode(kind: str, id: int, payload: Any) -> bytes:
    """One frame. Raises FrameError if it is over 16 MiB."""
    body = _encoder.encode(Frame(kind, id, payload))
    if len(body) > MAX_FRAME:
        raise FrameError(f"a message of {len(body)} bytes is over the limit of {MAX_FRAME}")
    return len(body).to_bytes(_HEAD, "little") + body


class FrameDecoder:
    """Takes bytes as they come, gives whole frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes. Raises FrameError; after that, do not feed again."""
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        at = 0
        while len(buffer) - at >= _HEAD:
            length = int.from_bytes(buffer[at : at + _HEAD], "little")
            if length > MAX_FRAME:
                raise FrameError(f"a message of {length} bytes is announced, over the limit of {MAX_FRAME}")
            end = at + _HEAD + length
            if len(buffer) < end:
                break
            frames.append(_decode(bytes(buffer[at + _HEAD : end])))
            at = end
        del buffer[:at]
        return frames


def _decode(body: bytes) -> Frame:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FrameError(f"a message is not [kind, id, payload] in msgpack: {error}") from None
