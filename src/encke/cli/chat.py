"""`encke chat`: one question through the running gateway."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator

import click
import msgspec

from encke.admin.context import AdminError
from encke.cli.gateway import message_of, request
from encke.cli.models import offered
from encke.cli.options import config_option, settings
from encke.cli.text import speech
from encke.config.settings import LOCAL, Config
from encke.framing.sse import SseOverflow, SseSplitter


class _Text(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Text | None = None
    message: _Text | None = None


class _Chunk(msgspec.Struct):
    """What we need of an answer, or of an event of a streamed one."""

    choices: list[_Choice] | None = None


@click.command()
@click.argument("question")
@click.option("--model", help='The model to ask (default: "local" if there is one, else the first).')
@click.option("--stream/--no-stream", default=True, help="Print the answer as it comes (default), or when it is whole.")
@config_option
def chat(question: str, model: str | None, stream: bool, config_path: str | None) -> None:
    """Ask one question through the running gateway.

    QUESTION may be - to read it from standard input. The key is ENCKE_API_KEY, or ENCKE_BOOTSTRAP_KEY.
    """
    config = settings(config_path)
    text = sys.stdin.read() if question == "-" else question
    body = {
        "model": model or _default_model(config),
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
    }
    with request(config, "POST", "/v1/chat/completions", body) as response:
        for part in _streamed(response) if stream else _whole(response):
            _print(part)
        click.echo()


def _default_model(config: Config) -> str:
    ids = offered(config)
    if not ids:
        raise AdminError(
            "the gateway offers no model; set up a provider, or look at its log for why there is no local one"
        )
    return LOCAL if LOCAL in ids else ids[0]


def _print(text: str) -> None:
    """At once. A terminal obeys control characters, and a model's answer is a stranger's text."""
    click.echo(speech(text) if sys.stdout.isatty() else text, nl=False, color=True)
    sys.stdout.flush()


def _whole(response: http.client.HTTPResponse) -> Iterator[str]:
    try:
        answer = msgspec.json.decode(response.read(), type=_Chunk)
    except msgspec.DecodeError as error:
        raise AdminError(f"the answer makes no sense: {error}") from None
    if not answer.choices or answer.choices[0].message is None:
        raise AdminError("the answer makes no sense: it has no message")
    yield answer.choices[0].message.content or ""


def _streamed(response: http.client.HTTPResponse) -> Iterator[str]:
    """The pieces of content. Raises AdminError at an error event, and if the stream breaks off."""
    splitter = SseSplitter()
    while chunk := response.read1(65536):
        for data in _data(splitter, chunk):
            if data == b"[DONE]":
                return
            yield from _content(data)
    raise AdminError("the answer broke off")


def _data(splitter: SseSplitter, chunk: bytes) -> Iterator[bytes]:
    try:
        events = splitter.feed(chunk)
    except SseOverflow:
        raise AdminError("the answer makes no sense: an event of it is over 1 MiB") from None
    yield from (data for _, data in events if data is not None)


def _content(data: bytes) -> Iterator[str]:
    try:
        event = msgspec.json.decode(data)
        if (message := message_of(event)) is not None:
            raise AdminError(message)
        chunk = msgspec.convert(event, _Chunk)
    except msgspec.DecodeError as error:
        raise AdminError(f"the answer makes no sense: {error}") from None
    for choice in chunk.choices or ():
        if choice.delta is not None and choice.delta.content:
            yield choice.delta.content
