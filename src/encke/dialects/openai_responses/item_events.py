"""Events of output items: their numbers, and where in the answer an item stands."""

from __future__ import annotations

from encke.dialects.blocks import BlockSink


class ItemEvents(BlockSink):
    """`out` takes the events, `done` the whole items. With `quiet` no events are made: for what is no stream."""

    def __init__(self, out: list[bytes], id: str, quiet: bool) -> None:
        self.out = out
        self.done: list[bytes] = []
        self.sequence = 0
        self.quiet = quiet
        self.begun = False  # the open item's beginning is written
        self.item = b""  # its id
        self._id = id
        self._index = 0

    def event(self, kind: bytes, rest: bytes) -> None:
        """One event; `rest` are its fields, JSON without braces."""
        if not self.quiet:
            self.out.append(
                b'event: %b\ndata: {"type":"%b",%b,"sequence_number":%d}\n\n' % (kind, kind, rest, self.sequence)
            )
            self.sequence += 1

    def new_item(self, prefix: str) -> None:
        """The next item gets its place and its id."""
        self.begun = True
        self._index = len(self.done)
        self.item = f"{prefix}_{self._id}_{self._index}".encode()

    def where(self) -> bytes:
        """Which item it is."""
        return b'"item_id":"%b","output_index":%d' % (self.item, self._index)

    def added(self, item: bytes) -> None:
        """It begins."""
        self.event(b"response.output_item.added", b'"output_index":%d,"item":%b' % (self._index, item))

    def item_done(self, item: bytes) -> None:
        """It is whole."""
        self.done.append(item)
        self.event(b"response.output_item.done", b'"output_index":%d,"item":%b' % (self._index, item))
