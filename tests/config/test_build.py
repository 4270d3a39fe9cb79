"""Every kind of problem, with the exact line a person reads."""

from __future__ import annotations

import pytest

from .conftest import LinesOf, LoadText

# What stands in the file, and what is said of it (without the file's name).
PROBLEMS = [
    ('[server]\nlissten = "x"', '2: server.lissten: unknown setting; did you mean "listen"?'),
    ("[sever]\nworkers = 1", '1: sever: unknown table; did you mean "server"?'),
    ("workers = 1", '1: workers: unknown setting; did you mean "server.workers"?'),
    ("[routing]\nslots = 1", '2: routing.slots: unknown setting; did you mean "local.slots"?'),
    ("zzz = 1", "1: zzz: unknown setting"),
    ("server = 1", "1: server: must be a table, not a whole number"),
    ("[[server]]\nworkers = 1", "1: server: must be a table, not a list"),
    ("server.workers = true", "1: server.workers: must be a whole number without quotes, not true or false"),
    ("server.workers = 2.0", "1: server.workers: must be a whole number without quotes, not a number with a point"),
    ('server.workers = "2"', "1: server.workers: must be a whole number without quotes, not a string"),
    ("server.workers = 257", "1: server.workers: 257 is out of bounds; use 1 to 256"),
    ("server.max_body = 0x" + "f" * 99, "1: server.max_body: a number of more than 40 digits is out of bounds; "
     "use 1024 to 1073741824 bytes"),
    ("store.journal_segment = 1", "1: store.journal_segment: 1 is out of bounds; use 1048576 to 1073741824 bytes"),
    ("server.grace = 0", "1: server.grace: 0 is out of bounds; use seconds, more than 0 and at most 3600"),
    ("timeouts.idle = nan", "1: timeouts.idle: nan is out of bounds; use seconds, more than 0 and at most 86400"),
    ("timeouts.idle = inf", "1: timeouts.idle: inf is out of bounds; use seconds, more than 0 and at most 86400"),
    ("timeouts.idle = true", "1: timeouts.idle: must be a number of seconds without quotes, not true or false"),
    ("timeouts.idle = 12:00:00", "1: timeouts.idle: must be a number of seconds without quotes, not a date or time"),
    ("local.enabled = 1", "1: local.enabled: must be true or false, without quotes, not a whole number"),
    ("routing.breaker = true", '1: routing.breaker: must be "on" or "off", in quotes, not true or false'),
    ('routing.breaker = "of"', '1: routing.breaker: "of" is not "on" or "off"; did you mean "off"?'),
    ("server.listen = 8080", "1: server.listen: must be a string in quotes, not a whole number"),
    ('server.listen = "::1:80"', '1: server.listen: "::1:80" has an IPv6 address without brackets; '
     'write for example "[::1]:8080"'),
    ('server.listen = ":80"', '1: server.listen: ":80" has no host; write "127.0.0.1:80" for this machine only, '
     '"0.0.0.0:80" for every address'),
    ('server.listen = "a:65536"', '1: server.listen: "a:65536" has no usable port; '
     "use a number from 0 to 65535 (0: any free port)"),
    ('server.cors_origins = "*"', "1: server.cors_origins: must be a list in square brackets, not a string"),
    ('server.cors_origins = ["*",\n"https://a/"]', '2: server.cors_origins[1]: "https://a/" is not an origin; '
     'write "https://host" or "https://host:port", lower case, no path; "*" is any'),
    ('server.cors_origins = ["*", "*"]', '1: server.cors_origins[1]: "*" stands twice'),
    ('store.retention = "90"', '1: store.retention: "90" is not "forever" or a number of days such as "400d"'),
    ('store.retention = "6d"', '1: store.retention: "6d" is too short; entries are kept 7 days at least'),
    ('store.url = "postgres://h/d"', '1: store.url: "postgres://h/d" is not a store this version has; '
     'write "sqlite:" and a file, for example "sqlite:encke.db"'),
    ('store.url = "sqlite:///x"', '1: store.url: "sqlite:///x" must be "sqlite:" and a path without "//", '
     'for example "sqlite:encke.db"'),
    ('store.url = "sqlite::memory:"',
     '1: store.url: "sqlite::memory:" names no file; several processes share the store, '
     "so it must be a file"),
    ('log.access = "none"', '1: log.access: "none" is not "stdout", "stderr", "off" or a path; '
     'a file beside the settings is "./NAME"'),
    ('providers.lab = "x"', "1: providers.lab: must be a table, not a string"),
    ("[providers.Lab]", "1: providers.Lab: is no name for a provider; use a-z, 0-9, _ and -, at most 64, "
     "not beginning with _ or -"),
    ("[providers.local]", "1: providers.local: is the name of the embedded model; its settings stand in [local], "
     "or use another name"),
    ('[providers.lab]\napikey = "x"', '2: providers.lab.apikey: unknown setting; did you mean "api_key"?'),
    ('[providers.lab]\napi_key = ""', "2: providers.lab.api_key: is empty"),
    ("[providers.lab]\napi_key = 7", "2: providers.lab.api_key: must be a string in quotes, not a whole number"),
    ('[providers.lab]\napi_key = "top\\nsecret"', "2: providers.lab.api_key: has white space, a line break or "
     "a character outside ASCII in it; a key is one unbroken word"),
    ('[providers.lab]\nbase_url = "https://me:pw@h"', "2: providers.lab.base_url: has a user name or password in it; "
     "put the key into api_key"),
    ('[providers.lab]\nca_file = ""', '2: providers.lab.ca_file: "" is empty; give a path, or leave the setting out'),
    ('[providers.lab]\nmodels = ["a b"]',
     '2: providers.lab.models[0]: "a b" has white space or a control character in it'),
    ('[providers.lab]\nmodels = [""]', '2: providers.lab.models[0]: "" is empty'),
    ('[providers.lab.headers]\nHost = "x"', "2: providers.lab.headers.Host: cannot be set here: "
     "the gateway sets it from base_url"),
    ('[providers.lab.headers]\n"a b" = "x"', '2: providers.lab.headers."a b": is not a header name; '
     "use letters, digits and dashes"),
    ('[providers.lab.headers]\nx-a = "top\\r\\nsecret"', "2: providers.lab.headers.x-a: has a value that cannot stand "
     "in a header; use printable ASCII, without spaces at its ends"),
    ('[providers.lab.headers]\nx-a = 7',
     "2: providers.lab.headers.x-a: must be a string in quotes, not a whole number"),
    ("[providers.lab]\ncredentials = []", "2: providers.lab.credentials: must be a list of at least one table; "
     'write credentials = [{ name = "…", api_key = "…" }]'),
    ('[providers.lab]\ncredentials = "k"', "2: providers.lab.credentials: must be a list of at least one table; "
     'write credentials = [{ name = "…", api_key = "…" }]'),
    ('[providers.lab]\napi_key = "k"\ncredentials = [{ name = "a", api_key = "k-1" }]',
     "3: providers.lab.credentials: stands beside api_key; write one of the two"),
    ('[[providers.lab.credentials]]\nname = "a"', "1: providers.lab.credentials[0].api_key: is missing; "
     "every credential has a name and an api_key"),
    ('[[providers.lab.credentials]]\napi_key = "a"', "1: providers.lab.credentials[0].name: is missing; "
     "every credential has a name and an api_key"),
    ('[[providers.lab.credentials]]\nname = "a"\napi_key = "k"\nweight = 0',
     "4: providers.lab.credentials[0].weight: 0 is out of bounds; use 1 to 1000000"),
    ('[[providers.lab.credentials]]\nname = "a"\napi_key = "k"\nweight = -3',
     "4: providers.lab.credentials[0].weight: -3 is out of bounds; use 1 to 1000000"),
    ('[[providers.lab.credentials]]\nname = "a"\napi_key = "k"\nwait = 1',
     '4: providers.lab.credentials[0].wait: unknown setting; did you mean "weight"?'),
    ('[providers.lab]\ncredentials = [{ name = "a", api_key = "k-1" },\n{ name = "a", api_key = "k-2" }]',
     '3: providers.lab.credentials[1].name: "a" stands twice'),
    ('[providers.lab]\ncredentials = [{ name = "a", api_key = "canary" },\n{ name = "b", api_key = "canary" }]',
     "3: providers.lab.credentials[1].api_key: is the same key as another credential's"),
    ('[[providers.lab.credentials]]\nname = "sk-canary"\napi_key = "k"', "2: providers.lab.credentials[0].name: "
     "looks like a key; the name is shown in logs, so choose a word of your own"),
    ('[[providers.lab.credentials]]\nname = "a b"\napi_key = "k"', "2: providers.lab.credentials[0].name: "
     "is no name for a credential; use letters, digits, _ . and -, at most 32"),
    ('[[providers.lab.credentials]]\nname = "a"\napi_key = "${NO_SUCH}"', "3: providers.lab.credentials[0].api_key: "
     "needs the environment variable NO_SUCH, which is not set; set it, or write the value here"),
    ("[providers.lab]\nvalues = 1", "2: providers.lab.values: must be a table of names and strings, "
     "not a whole number"),
    ('[providers.lab.values]\naccount = "a/b"', '2: providers.lab.values.account: "a/b" cannot stand in an address; '
     "use letters, digits, dots, _ and -"),
    ("[providers.lab.values]\naccount = 7", "2: providers.lab.values.account: "
     "must be a string in quotes, not a whole number"),
    ("[providers.lab.timeouts]\nconect = 1",
     '2: providers.lab.timeouts.conect: unknown setting; did you mean "connect"?'),
    ("[providers.lab]\ntimeouts.total = -1", "2: providers.lab.timeouts.total: -1 is out of bounds; "
     "use seconds, more than 0 and at most 86400"),
    ("[models.fast]", '1: models.fast.targets: are missing; write targets = [{ provider = "…", model = "…" }]'),
    ("[models.fast]\ntargets = []", "2: models.fast.targets: must be a list of at least one table; "
     'write targets = [{ provider = "…", model = "…" }]'),
    ('[models]\nfast = "lab/m"', "2: models.fast: must be a table, not a string"),
    ("[models.fast]\ntargets = [1]", "2: models.fast.targets[0]: must be a table, not a whole number"),
    ('[[models.fast.targets]]\nmodel = "m"', "1: models.fast.targets[0].provider: is missing; "
     "every target names a provider and a model"),
    ('[models.fast]\ntargets = [\n{ provider = "p", model = "m" },\n{ provider = "p", model = "m", wait = 1 }]',
     '4: models.fast.targets[1].wait: unknown setting; did you mean "weight"?'),
    ('[[models."a b".targets]]\nprovider = "p"\nmodel = "m"',
     '1: models."a b": the model\'s name has white space or a control character in it'),
    ('log.access = "${NO_SUCH}/x"', "1: log.access: needs the environment variable NO_SUCH, which is not set; "
     "set it, or write the value here"),
    ('log.access = "${no such}"', '1: log.access: has "${" without a variable\'s name and "}" after it; '
     'a literal "${" is written "$${"'),
    ('[providers.lab]\nmodels = ["a", "${NO_SUCH}"]',
     "2: providers.lab.models[1]: needs the environment variable NO_SUCH, "
     "which is not set; set it, or write the value here"),
    ('[providers.lab.headers]\nx-a = "${BYTES}"', "2: providers.lab.headers.x-a: needs the environment variable BYTES, "
     "which does not hold UTF-8"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"), PROBLEMS, ids=[line.split(": ")[1] + f"-{i}" for i, (_, line) in enumerate(PROBLEMS)]
)
def test_problem(lines_of: LinesOf, text: str, line: str) -> None:
    """One problem gives one line: file, line number, setting, what is wrong, what to do."""
    assert lines_of(text, {"BYTES": "\udcff"}) == [f"encke.toml:{line}"]


def test_all_problems_at_once(lines_of: LinesOf) -> None:
    """Everything wrong is told at once, in the order of the file."""
    assert lines_of("[server]\nworkers = 0\nlisten = 1\n[zzz]\n[models.a]\nfallback = 3") == [
        "encke.toml:2: server.workers: 0 is out of bounds; use 1 to 256",
        "encke.toml:3: server.listen: must be a string in quotes, not a whole number",
        "encke.toml:4: zzz: unknown table",
        'encke.toml:5: models.a.targets: are missing; write targets = [{ provider = "…", model = "…" }]',
        "encke.toml:6: models.a.fallback: must be a list in square brackets, not a whole number",
    ]


def test_headers_that_differ_in_case_only(lines_of: LinesOf) -> None:
    """HTTP does not tell them apart, so both are refused."""
    assert lines_of('[providers.lab.headers]\nX-A = "1"\nx-a = "2"') == [
        "encke.toml:2: providers.lab.headers.X-A: stands twice, in another case",
        "encke.toml:3: providers.lab.headers.x-a: stands twice, in another case",
    ]


def test_what_a_variable_held_is_not_shown(lines_of: LinesOf) -> None:
    """A message shows the value as the file has it, never what an environment variable put there."""
    canary = "canary with spaces"
    text = """
    server.listen = "${C}"
    store.url = "${C}"
    [providers.lab]
    api_key = "${C}"
    base_url = "${C}"
    models = ["${C}"]
    headers = { x-a = "${C}\\u007f" }
    """
    lines = lines_of(text, {"C": canary})
    assert len(lines) == 6
    assert "canary" not in "\n".join(lines)
    assert lines[0].startswith('encke.toml:2: server.listen: "${C}" has no port')


def test_an_escaped_reference_stays(load_text: LoadText) -> None:
    """`$${NAME}` is the text `${NAME}`, and what a variable holds is not expanded again."""
    config = load_text('[providers.lab]\nmodels = ["$${A}", "${A}"]', {"A": "${B}-"})
    assert config.providers["lab"].models == ("${A}", "${B}-")


def test_timeouts_of_a_provider_rest_on_the_general_ones(load_text: LoadText) -> None:
    """A provider's own timeouts stand over the general ones, wherever those stand in the file."""
    config = load_text("[providers.lab.timeouts]\nidle = 1\n[timeouts]\nidle = 2\ntotal = 3")
    assert config.providers["lab"].timeouts.idle == 1.0
    assert config.providers["lab"].timeouts.total == 3.0
    assert config.providers["lab"].timeouts.connect == 5.0
