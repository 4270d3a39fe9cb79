"""What an orphan is billed for, kind by kind; the kill loops look at streams in their thousands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import apsw

from encke.testing.process import UpstreamProcess
from tests.support.client import chat
from tests.support.gateway import KEY, Gateway, lab


def test_a_whole_answer_that_was_coming(tmp_path: Path) -> None:
    """Half of it had come when the worker died: its text so far is billed, as that of a stream would be."""
    size = 120_000
    behave = f'behave: {{"name": "stall_mid_stream", "chunks": 1, "content": "{"x" * size}"}}'
    with UpstreamProcess(tmp_path / "upstream") as upstream:
        settings = {**lab(upstream.url), "local": {"enabled": False}, "server": {"workers": 1}}
        with Gateway(tmp_path, settings) as gateway, gateway.client() as client:
            client.request("POST", "/v1/chat/completions", chat(behave, "lab/m"), {"x-request-id": "mine"}, key=KEY)
            upstream.statement.wait_for(lambda s: len(s.calls()) == 1)
            time.sleep(1.0)
            gateway.kill("worker")
            upstream.statement.wait_for(lambda s: len(s.outcomes()) == 1)
            (outcome,) = upstream.statement.outcomes()
            found: list[tuple[Any, ...]] = []

            def settled() -> bool:
                db = apsw.Connection(str(gateway.data / "encke.db"), flags=apsw.SQLITE_OPEN_READONLY)
                try:
                    query = "SELECT status, received, output, estimated FROM entries WHERE client_request_id = 'mine'"
                    found[:] = db.execute(query).fetchall()
                finally:
                    db.close()
                return bool(found)

            gateway.wait_for(settled, 30, "no entry")
    ((status, received, output, estimated),) = found
    assert (status, estimated) == ("orphan", 1)
    # The statement counts the head too.
    assert 0 <= outcome.sent - received < 1000 and received > size // 3
    assert received * 0.9 < output * 3 <= received
