"""The tables of operations agree with each other and with the dialects."""

from __future__ import annotations

from typing import get_args

from encke.config.settings import AUTHS, Auth
from encke.dialects.table import CLIENTS, DIALECT_OPS, PROVIDERS
from encke.providers.ops import AUTH_FIELDS, DIALECT_AUTH, DIALECT_HEADERS, DIALECT_PATHS, OP_HEADERS, PATHS, Served


def test_every_operation_has_a_path() -> None:
    """What can be served, what dialects consist of, and what sides there are."""
    served = set(get_args(Served))
    assert {path.removesuffix(".stream") for path in PATHS} == served
    assert {op for ops in DIALECT_OPS.values() for op in ops} <= served
    assert {side.native for side in CLIENTS.values()} | set(PROVIDERS) <= served
    assert all(path.startswith(("/", "../")) for path in PATHS.values())


def test_what_dialects_say_is_of_dialects() -> None:
    """No row is for a dialect or an operation that is not there."""
    assert {*DIALECT_AUTH, *DIALECT_HEADERS, *DIALECT_PATHS} <= set(DIALECT_OPS)
    assert set(OP_HEADERS) <= set(PATHS)
    assert set(AUTH_FIELDS) == set(get_args(Auth)) == set(AUTHS)
