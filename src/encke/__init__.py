"""Encke: a self-hosted gateway for language models.

The words of the project, used the same way in code, logs, docs and console:

Call      one client request's whole life
Attempt   one try of a call at a target
Target    a provider credential and an upstream model
Dialect   a wire format: how
Provider  where and who
Key       what a caller presents; it carries a Grant
Grant     what a key may do
Entry     a line of the ledger: what one attempt was and what it used
Fault     any failure: what, whose, and may we retry
Model     a name callers may ask for
Head      the status line and headers sent to the client
Content   the first upstream delta

Read `encke.calls.life` first: it tells the life of a call in order.
"""

__version__ = "0.1.0"
