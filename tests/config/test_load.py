"""Reading files and environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encke.config.load import MAX_FILE, error_in, load, main_environ, read_environment
from encke.config.problems import ConfigError, Problem
from encke.config.schema import SETTINGS
from encke.config.settings import Config, Server, Timeouts

from .conftest import LinesOf, LoadText

BOOTSTRAP = "sk-" + "a" * 29


def refused(path: str | None, environ: dict[str, str] | None = None) -> str:
    """The one rendered problem of a file that must be refused."""
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    return str(caught.value)


def test_no_file_gives_the_defaults(folder: Path) -> None:
    """With no file and an empty environment every setting has its default."""
    config = load(None, {})
    assert config == Config(data_dir=folder / "encke-data")
    assert config.server.listen == "127.0.0.1:8080"
    assert config.server.workers == min(len(os.sched_getaffinity(0)), 256)
    assert config.store_path == folder / "encke-data" / "encke.db"


def test_an_empty_file_gives_the_defaults(load_text: LoadText) -> None:
    """An empty file changes nothing but the path."""
    config = load_text("")
    assert config.path == Path("encke.toml")
    assert config.server == Server()


def test_every_setting_can_be_read(load_text: LoadText, folder: Path) -> None:
    """A file that sets everything arrives whole, paths made absolute from the file's folder."""
    Path("ca.pem").touch()
    Path("m.gguf").touch()
    config = load_text(
        """
        [server]
        listen = "[::1]:0"
        workers = 3
        cors_origins = ["*", "https://a.example:8443"]
        max_body = 2048
        grace = 1
        header_timeout = 2.5
        body_floor = 0
        write_stall = 3
        keepalive = 4
        [store]
        url = "sqlite:/srv/encke.db"
        journal_segment = 1_048_576
        [routing]
        retries = 0
        breaker = "off"
        retry_uncertain = true
        [stream]
        early_keepalive = 5
        keepalive = 6
        [timeouts]
        connect = 1
        total = 50
        [log]
        access = "logs/access.jsonl"
        [local]
        enabled = true
        model = "m.gguf"
        context = 512
        slots = 1
        queue = 0
        threads = 4
        [providers.lab]
        dialect = "openai_chat"
        base_url = "http://10.0.0.5:8000/v1"
        api_key = "${LAB_KEY}"
        allow_private = true
        ca_file = "ca.pem"
        stream_usage = "never"
        models = ["qwen3-8b", "a/b"]
        headers = { X-Team = "blue ${TEAM}" }
        max_connections = 7
        timeouts.idle = 9
        [models."fast"]
        targets = [{ provider = "lab", model = "qwen3-8b", weight = 3 }, { provider = "lab", model = "a/b" }]
        fallback = ["local"]
        """,
        {"LAB_KEY": "k-1", "TEAM": "one"},
    )
    assert config.server.address == ("::1", 0)
    assert (config.server.workers, config.server.grace, config.server.header_timeout) == (3, 1.0, 2.5)
    assert config.server.cors_origins == ("*", "https://a.example:8443")
    assert (config.server.max_body, config.server.body_floor) == (2048, 0)
    assert (config.server.write_stall, config.server.keepalive) == (3.0, 4.0)
    assert config.store_path == Path("/srv/encke.db")
    assert config.store.journal_segment == 1024 * 1024
    assert (config.routing.retries, config.routing.breaker, config.routing.retry_uncertain) == (0, "off", True)
    assert (config.stream.early_keepalive, config.stream.keepalive) == (5.0, 6.0)
    assert config.log.access == str(folder / "logs/access.jsonl")
    assert config.local.model == str(folder / "m.gguf")
    assert (config.local.context, config.local.slots, config.local.queue, config.local.threads) == (512, 1, 0, 4)
    lab = config.providers["lab"]
    assert lab.api_key is not None and lab.api_key.reveal() == "k-1"
    assert (lab.base_url, lab.dialect, lab.allow_private) == ("http://10.0.0.5:8000/v1", "openai_chat", True)
    assert (lab.ca_file, lab.stream_usage, lab.models) == (str(folder / "ca.pem"), "never", ("qwen3-8b", "a/b"))
    assert lab.headers["X-Team"].reveal() == "blue one"
    assert lab.max_connections == 7
    assert lab.timeouts == Timeouts(connect=1.0, total=50.0, idle=9.0)
    fast = config.models["fast"]
    assert [(t.provider, t.model, t.weight) for t in fast.targets] == [("lab", "qwen3-8b", 3), ("lab", "a/b", 1)]
    assert fast.fallback == ("local",)


def test_file_order(folder: Path) -> None:
    """An explicit path beats ENCKE_CONFIG, which beats encke.toml in the working folder."""
    for name, workers in (("encke.toml", 1), ("env.toml", 2), ("given.toml", 3)):
        Path(name).write_text(f"server.workers = {workers}")
    assert load(None, {}).server.workers == 1
    assert load(None, {"ENCKE_CONFIG": "env.toml"}).server.workers == 2
    assert load("given.toml", {"ENCKE_CONFIG": "env.toml"}).server.workers == 3


def test_what_overrules_what(load_text: LoadText) -> None:
    """The command line beats the environment, which beats the file; an empty variable counts as unset."""
    text = 'server.listen = "127.0.0.1:1"'
    assert load_text(text).server.listen == "127.0.0.1:1"
    assert load_text(text, {"ENCKE_LISTEN": ""}).server.listen == "127.0.0.1:1"
    assert load_text(text, {"ENCKE_LISTEN": "127.0.0.1:2"}).server.listen == "127.0.0.1:2"
    overruled = load_text(text, {"ENCKE_LISTEN": "127.0.0.1:2"}, server__listen="127.0.0.1:3")
    assert overruled.server.listen == "127.0.0.1:3"


def test_wrong_environment_and_command_line(lines_of: LinesOf) -> None:
    """A bad value from outside the file names where it came from."""
    assert lines_of("", {"ENCKE_LISTEN": "8080"}, server__workers=0) == [
        'environment: ENCKE_LISTEN: "8080" has no port; write host:port, for example "127.0.0.1:8080"',
        "command line: server.workers: 0 is out of bounds; use 1 to 256",
    ]


def test_missing_file(folder: Path) -> None:
    """A file asked for must be there, whoever asked."""
    words = "no such file; check the path given by --config or ENCKE_CONFIG"
    assert refused("no.toml") == f"no.toml: {words}"
    assert refused(None, {"ENCKE_CONFIG": "no.toml"}) == f"no.toml: {words}"


def test_unusable_files(folder: Path) -> None:
    """A folder, a loop of links, a path with a zero byte, a huge file, bytes that are not UTF-8: each says so."""
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    Path("huge").write_bytes(b"#" * (MAX_FILE + 1))
    Path("latin").write_bytes(b"[server]\n# caf\xe9\n")
    assert refused("folder") == "folder: is a folder; name the settings file in it"
    assert refused("loop") == "loop: cannot be read: too many levels of symbolic links"
    assert refused("a\0b") == "a\0b: cannot be read: embedded null byte"
    assert refused("huge") == "huge: is larger than 4 MiB; is it the settings file?"
    assert refused("latin") == "latin:2: is not UTF-8; save it as UTF-8"
    assert refused("a\udcff") == "the path of the settings file is not UTF-8; rename it"


def test_permission_denied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may not be read says so."""

    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("encke.config.load.open", deny, raising=False)
    assert refused("x.toml") == "x.toml: cannot be read: permission denied"


def test_byte_order_mark(folder: Path) -> None:
    """A byte order mark, as some editors write it, is no part of the text."""
    Path("encke.toml").write_bytes(b"\xef\xbb\xbfserver.workers = 5")
    assert load(None, {}).server.workers == 5


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[server]\nworkers = two", "encke.toml:2:11: is not valid TOML: invalid value (strings need quotes)"),
        ("a = 1\na = 2", "encke.toml:2: is not valid TOML: cannot overwrite a value (this key or table stands twice)"),
        ("[server\n", "encke.toml:1:8: is not valid TOML: expected ']' at the end of a table declaration"),
        ("\n\nx = '''", "encke.toml:3: is not valid TOML: expected \"'''\""),
        ("x = " + "[" * 3000, "encke.toml: is not usable: lists or tables are nested too deeply"),
    ],
)
def test_syntax(lines_of: LinesOf, text: str, line: str) -> None:
    """A text that is no TOML gives the line, the column and what the parser missed."""
    assert lines_of(text) == [line]


def test_a_number_too_long_for_the_parser(lines_of: LinesOf) -> None:
    """tomllib lets a plain ValueError through for a number of 5000 digits; it becomes a problem like any other."""
    (line,) = lines_of("x = " + "1" * 5000)
    assert line.startswith("encke.toml: is not usable: Exceeds the limit")


def test_missing_files_that_the_settings_name(lines_of: LinesOf, folder: Path) -> None:
    """A model file or certificate file that is not there is told at the start."""
    text = '[local]\nmodel = "no.gguf"\n[providers.lab]\nca_file = "no.pem"'
    assert lines_of(text) == [
        f'encke.toml:2: local.model: "{folder}/no.gguf" is not there, or no file',
        f'encke.toml:4: providers.lab.ca_file: "{folder}/no.pem" is not there, or no file',
    ]


def test_a_model_file_does_not_matter_when_off(load_text: LoadText) -> None:
    """With the embedded model off nobody looks for its file."""
    assert not load_text('local = { enabled = false, model = "no.gguf" }').local.enabled


def test_environment(folder: Path) -> None:
    """The variables beside the settings, the providers' usual ones among them; empty ones count as unset."""
    environ = {"ENCKE_DATA": "d", "ENCKE_BOOTSTRAP_KEY": BOOTSTRAP, "ENCKE_API_KEY": "k", "A_KEY": "a", "B_KEY": ""}
    environment = read_environment(environ, ["A_KEY", "B_KEY", "C_KEY"])
    assert environment.data_dir == folder / "d"
    assert environment.bootstrap_key is not None and environment.bootstrap_key.reveal() == BOOTSTRAP
    assert environment.api_key is not None and environment.api_key.reveal() == "k"
    assert {name: key.reveal() for name, key in environment.provider_keys.items()} == {"A_KEY": "a"}
    assert load(None, environ).data_dir == folder / "d"
    assert "sk-" not in repr(environment)


@pytest.mark.parametrize(
    "key", ["sk-short", "pk-" + "a" * 40, "sk-" + "a" * 28, "sk-" + "a" * 20 + " " + "a" * 20, "sk-" + "é" * 40]
)
def test_bad_bootstrap_key(folder: Path, key: str) -> None:
    """A bootstrap key that is short, oddly begun or not printable ASCII is refused, and not shown."""
    for read in (read_environment, lambda environ: load(None, environ)):
        with pytest.raises(ConfigError) as caught:
            read({"ENCKE_BOOTSTRAP_KEY": key})
        assert str(caught.value).startswith("environment: ENCKE_BOOTSTRAP_KEY: ")
        assert key not in str(caught.value)


def test_data_folder_that_is_not_utf8(folder: Path) -> None:
    """A data folder whose name is not UTF-8 cannot be handed to the other processes, so it is refused."""
    assert refused(None, {"ENCKE_DATA": "d\udcff"}) == "environment: ENCKE_DATA: is not UTF-8; choose another folder"


def test_main_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one door to the process's environment gives a copy of it."""
    monkeypatch.setenv("ENCKE_TEST_VARIABLE", "1")
    environ = main_environ()
    environ["ENCKE_TEST_VARIABLE"] = "2"
    assert os.environ["ENCKE_TEST_VARIABLE"] == "1"


def test_error_in_finds_the_lines_again(load_text: LoadText) -> None:
    """Problems found after loading get their lines; if the file is gone they do without."""
    config = load_text("[providers.lab]\nbase_url = 'https://a'")
    problem = Problem(("providers", "lab", "base_url"), "is wrong")
    assert str(error_in(config, [problem])) == "encke.toml:2: providers.lab.base_url: is wrong"
    Path("encke.toml").unlink()
    assert str(error_in(config, [problem])) == "encke.toml: providers.lab.base_url: is wrong"


def test_error_in_without_a_file(folder: Path) -> None:
    """With no file a problem is told without one."""
    assert str(error_in(load(None, {}), [Problem(("a",), "is wrong")])) == "a: is wrong"


_LEAVES = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["${A}", "${", "$${", "${NO}", "sqlite:x", "127.0.0.1:0", "https://h/v1", "a\x7f", "off"]),
)
_WORDS = sorted(
    {part for row in SETTINGS for part in row.name.replace("[]", "").split(".")} | {"lab", "local", "é", ""}
)


def _toml(value: object) -> str:
    """Any value as TOML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(name)} = {_toml(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
    return repr(value)


_NAMES = st.sampled_from(_WORDS)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)
_ANY_FOLDER = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_ANY_FOLDER
@given(tables=st.dictionaries(_NAMES, _VALUES, max_size=6))
def test_any_toml_loads_or_is_refused(folder: Path, tables: dict[str, object]) -> None:
    """Whatever valid TOML holds, the outcome is a Config or a ConfigError whose problems stand on one line each."""
    Path("any.toml").write_text("".join(f"{_toml(name)} = {_toml(value)}\n" for name, value in tables.items()))
    try:
        load("any.toml", {"A": "1"})
    except ConfigError as error:
        assert error.problems
        for line, problem in zip(error.lines(), error.problems, strict=True):
            assert "\n" not in line and line.startswith("any.toml:") and problem.line is not None


@_ANY_FOLDER
@given(data=st.binary(max_size=200) | st.text(alphabet="[]{}=\"'\\.,#\n \tab1-$", max_size=60).map(str.encode))
def test_any_bytes_load_or_are_refused(folder: Path, data: bytes) -> None:
    """Whatever bytes a file holds, the outcome is a Config or a ConfigError."""
    Path("any.toml").write_bytes(data)
    try:
        load("any.toml", {})
    except ConfigError as error:
        assert error.lines()
