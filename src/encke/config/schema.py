"""The table of settings: name, kind of value, sentence, environment variable. The defaults stand in `settings.py`.

A name with `NAME` in it stands for every table of that sort: `[providers.NAME]`, `[models."NAME"]`.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from encke.config import kinds
from encke.config.capabilities import CAPABILITIES
from encke.config.kinds import Kind, choice, seconds, whole
from encke.config.prices import PRICE, PRICES
from encke.config.settings import (
    AUTHS,
    STREAM_USAGE,
    CredentialSettings,
    Idempotency,
    Local,
    Log,
    ModelSettings,
    ProviderSettings,
    Routing,
    Server,
    Store,
    Stream,
    TargetSettings,
    Timeouts,
)
from encke.core.traits import POLICIES

GiB = 1024**3


class Row(NamedTuple):
    """One setting. `env` names the variable that overrules the file; `shown` is the default in words where it varies.

    `file` marks a path: relative ones are taken from the folder of the settings file. `restart` marks what a reload
    cannot change.
    """

    name: str
    kind: Kind
    sentence: str
    env: str = ""
    shown: str = ""
    file: bool = False
    restart: bool = False

    @property
    def leaf(self) -> str:
        """The last part of the name, as it stands in its table."""
        return self.name.rpartition(".")[2]


TIMEOUT_ROWS = (
    ("connect", "Longest wait for a connection to a provider, TLS included."),
    ("first_byte", "Longest wait for the first byte of a streamed answer."),
    ("idle", "Longest silence between two events of a stream."),
    ("total", "Longest duration of a call, all attempts together; the only limit for answers that are not streamed."),
)

SETTINGS: tuple[Row, ...] = (
    Row(
        "server.listen",
        kinds.LISTEN,
        "Address and port to serve on; port 0 takes any free one.",
        env="ENCKE_LISTEN",
        restart=True,
    ),
    Row(
        "server.admin_listen",
        kinds.ADMIN_LISTEN,
        "Address for operators (`/metrics`), used when `listen` is not of this machine alone; else it shares that.",
        env="ENCKE_ADMIN_LISTEN",
        restart=True,
    ),
    Row("server.workers", whole(1, 256), "Worker processes.", shown="number of CPUs", restart=True),
    Row(
        "server.cors_origins",
        kinds.ORIGINS,
        'Web origins that may call from a browser; "*" is any. Never with credentials.',
    ),
    Row(
        "server.trusted_proxies",
        kinds.NETWORKS,
        "Networks of proxies in front, whose `X-Forwarded-For` says where a call comes from.",
    ),
    Row("server.max_body", whole(1024, GiB, "bytes"), "Largest request body."),
    Row("server.grace", seconds(3600), "Time that running calls get to finish at a shutdown."),
    Row("server.header_timeout", seconds(), "Longest wait for a request's headers."),
    Row("server.body_floor", whole(0, GiB, "bytes/s"), "Slowest upload borne; 0 bears any."),
    Row("server.write_stall", seconds(), "Longest wait for a caller to read on."),
    Row("server.keepalive", seconds(), "How long an idle connection of a caller is kept."),
    Row(
        "store.url",
        kinds.STORE_URL,
        "Where keys and ledger live; a relative file is within the data folder.",
        restart=True,
    ),
    Row(
        "store.journal_segment", whole(1024**2, GiB, "bytes"), "Size of one piece of a worker's journal.", restart=True
    ),
    Row(
        "store.journal_limit",
        whole(16 * 1024**2, 1024 * GiB, "bytes"),
        "What may wait in all journals while the store is away; at four fifths calls are refused, and nothing is lost.",
        restart=True,
    ),
    Row(
        "store.journal_age",
        seconds(31 * 86400),
        "How long the store may be away; at four fifths calls are refused, and nothing is lost.",
        restart=True,
    ),
    Row(
        "store.durability",
        choice("process", "strict"),
        "What a call's record has outlived before the caller sees the end: the processes, or the power too.",
        restart=True,
    ),
    Row(
        "store.retention",
        kinds.RETENTION,
        "How long entries are kept; sums by the hour, and what budgets were charged, stay. At least a week.",
        restart=True,
    ),
    Row(
        "idempotency.keep",
        whole(0, 31 * 86400, "seconds"),
        "How long a finished answer is given again to whoever repeats its `Idempotency-Key`; 0 heeds no such header.",
        restart=True,
    ),
    Row(
        "idempotency.max_answer",
        whole(1024, GiB, "bytes"),
        "Largest answer that is kept for that.",
        restart=True,
    ),
    Row(
        "idempotency.max_total",
        whole(1024**2, 1024 * GiB, "bytes"),
        "Disk for all answers that are kept; the oldest make room.",
        restart=True,
    ),
    Row("routing.retries", whole(0, 10), "Further attempts after a failed one; 0 turns them off."),
    Row("routing.breaker", choice("on", "off"), "Whether a failing target is left alone for a while."),
    Row("routing.retry_uncertain", kinds.FLAG, "Whether to try again when a provider may already have done the work."),
    Row("routing.backoff", seconds(60), "Pause before the same target is tried again; it doubles, up to 5 s."),
    Row(
        "routing.on_unsupported",
        choice(*POLICIES),
        "What becomes of a call that its model cannot be asked in full (see [dialects](dialects.md#what-is-left-out)).",
    ),
    Row(
        "stream.early_keepalive", seconds(), "Wait for the first content before the stream is opened with a keep-alive."
    ),
    Row("stream.keepalive", seconds(), "Time between keep-alives after that."),
    *(Row(f"timeouts.{leaf}", seconds(), sentence) for leaf, sentence in TIMEOUT_ROWS),
    Row("log.access", kinds.LOG_TARGET, "Where the line about every call goes.", file=True),
    Row("log.format", choice("json", "text"), "How events of the processes are written (to standard error)."),
    Row("log.level", choice("info", "warning", "error"), "The least serious events to write."),
    Row("local.enabled", kinds.FLAG, "Whether the embedded model runs.", restart=True),
    Row(
        "local.model",
        kinds.PATH_OR_EMPTY,
        "A GGUF file to run; empty runs the model that ships.",
        file=True,
        restart=True,
    ),
    Row(
        "local.context",
        whole(256, 1024**2, "tokens"),
        "Context length of each slot of the embedded model.",
        restart=True,
    ),
    Row("local.slots", whole(1, 64), "Calls that the embedded model answers at once.", restart=True),
    Row("local.queue", whole(0, 10_000), "Calls that may wait for it; one more gets 503.", restart=True),
    Row("local.threads", whole(0, 1024), "CPU threads of the embedded model; 0 chooses.", restart=True),
    Row(
        "providers.NAME.preset",
        kinds.NAME,
        "Known provider whose facts hold here too, for a second account of it.",
        shown="the one of this name",
    ),
    Row(
        "providers.NAME.dialect", kinds.NAME, "Wire format; known providers have theirs.", shown="the known provider's"
    ),
    Row("providers.NAME.base_url", kinds.BASE_URL, "Address up to the version.", shown="the known provider's"),
    Row(
        "providers.NAME.auth",
        choice(*AUTHS),
        "How the key is presented: `Authorization: Bearer`, or a header of this name.",
        shown="the known provider's, else as usual for the dialect",
    ),
    Row(
        "providers.NAME.ops",
        kinds.NAMES,
        "What it offers, best first (see [providers](providers.md#operations)).",
        shown="the known provider's, else as usual for the dialect",
    ),
    Row("providers.NAME.api_key", kinds.SECRET, "Key to present there.", shown="the known provider's usual variable"),
    Row(
        "providers.NAME.credentials",
        Kind("list of tables", kinds.AS_IT_IS),
        "Several keys to share the calls, in place of `api_key`.",
        shown="the one of `api_key`",
    ),
    Row("providers.NAME.credentials[].name", kinds.CREDENTIAL_NAME, "What logs and the ledger call it; no secret."),
    Row("providers.NAME.credentials[].api_key", kinds.SECRET, "Key to present."),
    Row(
        "providers.NAME.credentials[].weight",
        whole(1, 1_000_000),
        "Share of the calls, relative to the other credentials.",
    ),
    Row(
        "providers.NAME.values",
        kinds.VALUES,
        "Parts of a known provider's address that are one's own, such as `account`.",
        shown="the known provider's usual variables",
    ),
    Row(
        "providers.NAME.allow_private",
        kinds.FLAG,
        "Whether it may be on a private network, or without TLS.",
        shown="false; true for known local servers",
    ),
    Row(
        "providers.NAME.ca_file",
        kinds.PATH,
        "Certificates to trust instead of the system's (PEM).",
        shown="none",
        file=True,
    ),
    Row(
        "providers.NAME.stream_usage",
        choice(*STREAM_USAGE),
        "When streams tell usage: if asked by `stream_options`, always, always while asking is refused, or never.",
        shown='the known provider\'s, else "option"',
    ),
    Row("providers.NAME.models", kinds.NAMES, "Ids of its models, to be listed by `/v1/models`."),
    Row("providers.NAME.headers", kinds.HEADERS, "Further headers for every request to it."),
    Row("providers.NAME.max_connections", whole(1, 100_000), "Most connections to it, for each worker."),
    *(
        Row(f"providers.NAME.timeouts.{leaf}", seconds(), sentence, shown=f"`timeouts.{leaf}`")
        for leaf, sentence in TIMEOUT_ROWS
    ),
    Row(
        "providers.NAME.capabilities",
        CAPABILITIES,
        "What its models can do, where that is not known or wrong (see [dialects](dialects.md#what-models-can-do)).",
    ),
    Row(
        "providers.NAME.price_list",
        kinds.NAME,
        'Whose list in the shipped price file to look into; "none" for none.',
        shown="the known provider's",
    ),
    Row("providers.NAME.prices", PRICES, "What single models cost there, by their id (see [prices](prices.md))."),
    Row("providers.NAME.price", PRICE, "What all other models cost there.", shown="the price list's"),
    Row("models.NAME.targets", Kind("list of tables", kinds.AS_IT_IS), "Where the model's calls go; at least one."),
    Row("models.NAME.targets[].provider", kinds.NAME, "Name of a provider."),
    Row("models.NAME.targets[].model", kinds.NAME, "Id of the model there."),
    Row("models.NAME.targets[].weight", whole(1, 1_000_000), "Share of the calls, relative to the other targets."),
    Row("models.NAME.targets[].price", PRICE, "What this target costs.", shown="the model's"),
    Row("models.NAME.capabilities", CAPABILITIES, "What its own targets can do, where that is not known or wrong."),
    Row("models.NAME.price", PRICE, "What all its targets cost, but not its fallbacks.", shown="the provider's"),
    Row(
        "models.NAME.fallback",
        kinds.NAMES,
        "Models to try in turn when every target fails: aliases, `local`, or `provider/model`.",
    ),
)

# The tables and what they become. `models.NAME.targets[]` is one target of the list.
TABLES: dict[str, type[msgspec.Struct]] = {
    "server": Server,
    "store": Store,
    "idempotency": Idempotency,
    "routing": Routing,
    "stream": Stream,
    "timeouts": Timeouts,
    "log": Log,
    "local": Local,
    "providers.NAME": ProviderSettings,
    "providers.NAME.credentials[]": CredentialSettings,
    "providers.NAME.timeouts": Timeouts,
    "models.NAME": ModelSettings,
    "models.NAME.targets[]": TargetSettings,
}

PLAIN_TABLES = tuple(name for name in TABLES if "NAME" not in name)


def rows_of(table: str) -> dict[str, Row]:
    """The rows of one table of `TABLES`, by their last part."""
    return {row.leaf: row for row in SETTINGS if row.name.rpartition(".")[0] == table}


def default_of(row: Row) -> object:
    """The default of a setting; `msgspec.NODEFAULT` if it must be given."""
    cls = TABLES[row.name.rpartition(".")[0]]
    field = next(f for f in msgspec.structs.fields(cls) if f.name == row.leaf)
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default
