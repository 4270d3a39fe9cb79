"""The failure matrix: what a caller and the ledger see for every named behaviour of an upstream.

`Want` is one cell. `status` and `code` are the caller's; `broken` is a stream that ends with an error event and without
its end; `entry` is the status of the settled entry. `then` is what follows the attempt: "stop", "next" (another target,
if there is one) or "again" (another target, or else the same once more, after a pause).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Want:
    """What must come of a call."""

    status: int = 200
    code: str = ""
    entry: str = "complete"
    broken: bool = False
    retry_after: tuple[int, int] | None = None
    estimated: bool = False
    then: str = "stop"


OK = Want()
GUESSED = Want(estimated=True)


def error(status: int, code: str, entry: str = "failed", then: str = "stop") -> Want:
    """An error with a status of its own."""
    return Want(status, code, entry, then=then)


def refused(status: int, code: str, then: str = "stop", retry_after: tuple[int, int] | None = None) -> Want:
    """An error of upstream's own making."""
    return Want(status, code, "refused", retry_after=retry_after, then=then)


def broken(code: str) -> Want:
    """A stream that broke after content had come."""
    return Want(200, code, "truncated", broken=True, estimated=True)


BAD = error(502, "upstream_bad_response", then="next")
LARGE = error(502, "upstream_too_large")
RESET = error(502, "upstream_reset", "uncertain")
LATE = error(504, "upstream_timeout", "uncertain")
FAILED = refused(502, "upstream_error", "again")
BUSY = refused(503, "overloaded", "again", (1, 1))
NO_KEY = refused(502, "upstream_auth", "next")
GAVE_UP = refused(504, "upstream_timeout", "next")
LIMITED = refused(429, "upstream_rate_limited", "again")
BROKE = error(502, "upstream_error", then="again")

# behaviour: (not streamed, streamed)
MATRIX: dict[str, tuple[Want, Want]] = {
    # answers, however odd
    **dict.fromkeys(
        (
            *("polite", "slow_chunks", "missing_done", "data_after_done", "doubled_done", "comments", "bad_event"),
            *("whitespace_then_content", "bom", "bare_cr", "crlf", "multi_line_data", "no_space_after_colon"),
            *("chunk_dust", "split_utf8", "usage_backwards", "http10_close_delimited", "trailers", "1xx_then_answer"),
            *("http10_close_delimited_stream", "close_after_answer", "reset_after_answer"),
        ),
        (OK, OK),
    ),
    "done_only": (OK, GUESSED),
    **{f"usage_{how}": (GUESSED, GUESSED) for how in ("missing", "negative", "float", "string", "huge")},
    # streams that do not end as they should
    "sse_no_terminal": (OK, broken("upstream_bad_response")),
    "error_in_stream": (OK, broken("upstream_error")),
    "empty_stream": (OK, BAD),
    "error_first_in_stream": (OK, BROKE),
    "error_200": (BROKE, BROKE),
    # every choice had finished, so only the usage is missing
    "http10_stream_cut": (BAD, GUESSED),
    "reset_mid_stream": (RESET, broken("upstream_reset")),
    "fin_mid_stream": (RESET, broken("upstream_reset")),
    "stall_mid_stream": (LATE, broken("upstream_idle")),
    # nothing comes
    "reset_before_head": (RESET, RESET),
    "fin_before_head": (RESET, RESET),
    "reset_in_head": (RESET, RESET),
    "fin_in_head": (RESET, RESET),
    "short_body": (RESET, RESET),
    "stall_before_head": (LATE, LATE),
    "stall_in_head": (LATE, LATE),
    # what comes is no answer
    **dict.fromkeys(
        (
            *("garbage_200", "garbage_http", "html_200", "empty_200", "null_200", "half_json"),
            *("gzip_though_identity", "gzip_bomb"),
            *("length_and_chunked", "two_lengths", "negative_length", "bad_chunk_size", "folded_header"),
        ),
        (BAD, BAD),
    ),
    "big_stream": (BAD, OK),
    # too much of it
    "body_over_cap": (LARGE, LARGE),
    "body_over_cap_declared": (LARGE, LARGE),
    "endless_line": (BAD, LARGE),
    "header_over_64k": (LARGE, LARGE),
    "many_headers": (LARGE, LARGE),
    # refusals
    "400": (refused(400, "invalid_value"),) * 2,
    **dict.fromkeys(("401", "402", "403"), (NO_KEY, NO_KEY)),
    "404": (refused(404, "model_not_found"),) * 2,
    **dict.fromkeys(("408", "504"), (GAVE_UP, GAVE_UP)),
    "413": (refused(413, "request_too_large"),) * 2,
    "422": (refused(422, ""),) * 2,
    **dict.fromkeys(("409", "425", "500", "501", "502"), (FAILED, FAILED)),
    **dict.fromkeys(("503", "529"), (BUSY, BUSY)),
    **dict.fromkeys((f"redirect_{status}" for status in (301, 302, 307)), (refused(502, "upstream_redirect"),) * 2),
    "early_400_before_body": (refused(400, "invalid_value"),) * 2,
    "429": (LIMITED, LIMITED),
    "429_garbage": (LIMITED, LIMITED),
    # waits that are too long to be waited for here
    "429_seconds": (refused(429, "upstream_rate_limited", "next", (30, 30)),) * 2,
    "429_ms": (refused(429, "upstream_rate_limited", "next", (30, 30)),) * 2,
    "429_date": (refused(429, "upstream_rate_limited", "next", (15, 30)),) * 2,
    "429_absurd": (refused(429, "upstream_rate_limited", "next", (600, 600)),) * 2,
    "503_seconds": (refused(503, "overloaded", "next", (30, 30)),) * 2,
}

# More than one answer to one request: the first, or none, as it is cut; never both (see `test_faults`).
EITHER = frozenset({"extra_bytes", "two_responses"})

# Those that end only with the gateway's patience.
STALLS = frozenset({"stall_before_head", "stall_in_head", "stall_mid_stream"})
