"""Presets with their places filled, as some operator would."""

from __future__ import annotations

import re

from encke.config.endpoints import BaseUrl, split_base_url
from encke.providers.presets import Preset, read_presets

PRESETS = {name: preset for name, preset in read_presets().items() if name != "local"}


def filled(preset: Preset, text: str) -> str:
    """A text of the preset with the usual values, or some of our own."""
    for name, value in preset.values.items():
        text = text.replace(f"{{{name}}}", value.default or f"{name}.example")
    return text


def address(preset: Preset) -> BaseUrl:
    """Its base URL in parts."""
    return split_base_url(filled(preset, preset.base_url or ""))


def hosts(preset: Preset) -> re.Pattern[str]:
    """What its authority may look like, for whoever it is."""
    authority = (preset.base_url or "").split("/")[2]
    return re.compile(re.sub(r"\\\{\w+\\\}", r"[a-zA-Z0-9.-]+", re.escape(authority)))
