"""curl, the client of everyone's first try."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.site import QUESTION, Site


def curl(*args: str) -> str:
    """What it prints."""
    assert shutil.which("curl"), "curl is missing; on Debian: apt install curl"
    done = subprocess.run(["curl", "-sS", "--max-time", "60", *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def chat(site: Site, *args: str, **more: Any) -> str:
    """A chat request as documentation shows it; `more` goes into its body."""
    return post(site, json.dumps({"model": site.model, "messages": QUESTION, **more}), *args)


def post(site: Site, data: str, *args: str) -> str:
    """The request with `data` as curl's -d takes it: text, or @ and a file."""
    url, authorization = f"{site.base_url}/chat/completions", f"Authorization: Bearer {site.key}"
    return curl(url, "-H", authorization, "-H", "Content-Type: application/json", "-d", data, *args)


def test_a_whole_answer(site: Site) -> None:
    """The assistant's message."""
    assert site.is_answer(json.loads(chat(site))["choices"][0]["message"]["content"])


def test_a_stream(site: Site) -> None:
    """Events as they come, `data: [DONE]` at the end, and curl is content with the framing."""
    lines = chat(site, "-N", stream=True).splitlines()
    assert [line for line in lines if line][-1] == "data: [DONE]"
    pieces = [json.loads(line[6:])["choices"][0]["delta"] for line in lines if line.startswith("data: {")]
    assert site.is_answer("".join(piece.get("content") or "" for piece in pieces))


@pytest.mark.parametrize("name", ["lab/fake", "lab%2Ffake", "fast"])
def test_one_model(site: Site, name: str) -> None:
    """A model's id stands in the path as it is, or escaped."""
    found = json.loads(curl(f"{site.base_url}/models/{name}", "-H", f"Authorization: Bearer {site.key}"))
    assert found["object"] == "model" and found["id"] == name.replace("%2F", "/")


def test_a_big_body_with_expect(site: Site, tmp_path: Path) -> None:
    """curl asks with `Expect: 100-continue` before a megabyte; the gateway answers it."""
    file, trace = tmp_path / "body.json", tmp_path / "trace"
    many = [{"role": "user", "content": "x" * 1_500_000}, *QUESTION]
    file.write_text(json.dumps({"model": site.model, "messages": many}))
    answer = post(site, f"@{file}", "-H", "Expect: 100-continue", "-v", "--stderr", str(trace))
    assert "HTTP/1.1 100 Continue" in trace.read_text()
    assert site.is_answer(json.loads(answer)["choices"][0]["message"]["content"])


def test_a_wrong_key(site: Site) -> None:
    """401 with a body that says what to do."""
    answer = curl(f"{site.base_url}/models", "-H", "Authorization: Bearer sk-wrong", "-w", "\n%{http_code}")
    body, status = answer.rsplit("\n", 1)
    assert status == "401" and json.loads(body)["error"]["code"] == "invalid_api_key"
