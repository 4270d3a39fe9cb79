"""Names in models."""

from __future__ import annotations

import pytest

from encke.config.check import cross_check
from encke.config.load import error_in

from .conftest import LoadText

PRESETS = ["cloud", "local"]

TARGET = 'targets = [{ provider = "lab", model = "m" }]'
LAB = '[providers.lab]\nmodels = ["m1"]\n'


def told(load_text: LoadText, text: str) -> list[str]:
    """The rendered problems of the names in a text."""
    config = load_text(text)
    return error_in(config, cross_check(config, PRESETS)).lines()


def test_names_that_exist(load_text: LoadText) -> None:
    """Configured and known providers, aliases, `local` and provider/model are all fine."""
    text = f"""{LAB}
    [models.a]
    targets = [{{ provider = "lab", model = "m" }}, {{ provider = "cloud", model = "x/y" }}]
    fallback = ["b", "local", "lab/m2", "cloud/x/y"]
    [models.b]
    targets = [{{ provider = "local", model = "local" }}]
    fallback = ["local"]
    """
    assert told(load_text, text) == []


NO_MODEL = 'is no model; name one of [models], "local", or "provider/model"'


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ('targets = [{ provider = "clod", model = "m" }]',
         '4: models.a.targets[0].provider: "clod" is no provider; add [providers.NAME] for it; did you mean "cloud"?'),
        ('targets = [{ provider = "xyz", model = "m" }]',
         '4: models.a.targets[0].provider: "xyz" is no provider; add [providers.NAME] for it'),
        (f'{TARGET}\nfallback = ["lokal"]', f'5: models.a.fallback[0]: "lokal" {NO_MODEL}; did you mean "local"?'),
        (f'{TARGET}\nfallback = ["m1"]', f'5: models.a.fallback[0]: "m1" {NO_MODEL}; did you mean "lab/m1"?'),
        (f'{TARGET}\nfallback = ["clod/m"]', f'5: models.a.fallback[0]: "clod/m" {NO_MODEL}; did you mean "cloud/m"?'),
        (f'{TARGET}\nfallback = ["cloud/"]', f'5: models.a.fallback[0]: "cloud/" {NO_MODEL}'),
        (f'{TARGET}\nfallback = ["a"]', "5: models.a.fallback: goes round in a circle: a -> a; leave one of them out"),
        (f'{TARGET}\n[models.local]\n{TARGET}', "5: models.local: is the name of the embedded model; choose another"),
    ],
)  # fmt: skip
def test_names_that_do_not_exist(load_text: LoadText, body: str, line: str) -> None:
    """A name that leads nowhere is told at its line, with the nearest that exists."""
    assert told(load_text, f"{LAB}[models.a]\n{body}") == [f"encke.toml:{line}"]


def test_circles(load_text: LoadText) -> None:
    """Every circle is told once, at its first model; what only leads into one is not blamed."""
    names = [("start", "b"), ("a", "b"), ("b", "c"), ("c", "a"), ("x", "y"), ("y", "x")]
    text = LAB + "".join(f'[models.{name}]\n{TARGET}\nfallback = ["{to}"]\n' for name, to in names)
    assert told(load_text, text) == [
        "encke.toml:8: models.a.fallback: goes round in a circle: a -> b -> c -> a; leave one of them out",
        "encke.toml:17: models.x.fallback: goes round in a circle: x -> y -> x; leave one of them out",
    ]


def test_a_long_chain_is_no_circle(load_text: LoadText) -> None:
    """Many models in a row, and two ways to the same one, are fine."""
    text = LAB + "".join(f'[models.m{n}]\n{TARGET}\nfallback = ["m{n + 1}", "m{n + 2}"]\n' for n in range(1, 300))
    text += f"[models.m300]\n{TARGET}\n[models.m301]\n{TARGET}\n"
    assert told(load_text, text) == []


def test_the_embedded_model_when_it_is_off(load_text: LoadText) -> None:
    """A target or fallback that needs the embedded model is told when it is off."""
    text = (
        'local.enabled = false\n[models.a]\ntargets = [{ provider = "local", model = "local" }]\nfallback = ["local"]'
    )
    off = "names the embedded model, which is off; set local.enabled = true, or leave it out"
    assert told(load_text, text) == [
        f"encke.toml:3: models.a.targets[0].provider: {off}",
        f"encke.toml:4: models.a.fallback[0]: {off}",
    ]
