"""The shape of an access line."""

from __future__ import annotations

import msgspec


class AccessLine(msgspec.Struct, omit_defaults=True):
    """A line of the access log. Never a prompt, never an answer, never a secret."""

    time: str
    request_id: str
    client: str
    method: str
    path: str
    status: int
    duration_ms: float
    bytes_out: int = 0
    key: str = ""
    model: str = ""
    provider: str = ""
    credential: str = ""
    upstream_model: str = ""
    attempts: int = 0
    stream: bool = False
    first_ms: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    outcome: str = ""
    code: str = ""
    client_request_id: str = ""
    replayed: str = ""
    dropped: str = ""  # what was left out of the request because its target could not be asked, under the policy "warn"
    cost: str | None = ""  # dollars as a decimal string; null where tokens were used that have no price
