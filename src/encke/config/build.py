"""From TOML tables to a Config: every setting through its row of the schema, every problem kept. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from encke.config.checks import check_name
from encke.config.expand import expand, show
from encke.config.kinds import VALUE, Refusal, Refused, type_name
from encke.config.problems import Origin, Problem, Where, nearest
from encke.config.schema import PLAIN_TABLES, SETTINGS, TABLES, Row, rows_of
from encke.config.settings import (
    LOCAL,
    Config,
    CredentialSettings,
    ModelSettings,
    ProviderSettings,
    TargetSettings,
    Timeouts,
)

Table = Mapping[str, object]

TOP = (*PLAIN_TABLES, "providers", "models")
PROVIDER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_KEYWORDS = ("", "stdout", "stderr", "off")  # not paths, though they stand where a path may


class Builder:
    """Reads tables into settings; what is wrong is added to `problems`, and the default stands in for it meanwhile.

    `folder` is where relative paths of the file begin.
    """

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self.problems: list[Problem] = []
        self._environ = environ
        self._folder = folder

    def config(
        self, raw: Table, overrides: Mapping[str, dict[str, object]], data_dir: Path, path: Path | None
    ) -> Config:
        """The whole file. `overrides` are values by table and leaf, read already, that overrule it."""
        for key in raw:
            if key not in TOP:
                self._unknown((key,), raw[key], TOP)
        plain: dict[str, Any] = {}
        for name in PLAIN_TABLES:
            values = self._values(name, self._table(raw.get(name, {}), (name,)), (name,))
            plain[name] = TABLES[name](**(values | overrides.get(name, {})))
        providers = self._table(raw.get("providers", {}), ("providers",))
        models = self._table(raw.get("models", {}), ("models",))
        return Config(
            data_dir=data_dir,
            path=path,
            providers={name: self._provider(name, value, plain["timeouts"]) for name, value in providers.items()},
            models={name: self._model(name, value) for name, value in models.items()},
            **plain,
        )

    def override(self, row: Row, value: object, origin: Origin) -> dict[str, object]:
        """A value given outside the file, as `{leaf: value}`; empty if it is refused. Relative paths begin here."""
        where: Where = (row.env,) if origin == "environment" else tuple(row.name.split("."))
        try:
            return {row.leaf: _placed(row, row.kind.read(value), Path.cwd())}
        except Refused as refused:
            self._refuse(refused, value, where, origin)
            return {}

    def _provider(self, name: str, value: object, general: Timeouts) -> ProviderSettings:
        where: Where = ("providers", name)
        self._check_provider_name(name, where)
        table = self._table(value, where)
        own = self._table(table.get("timeouts", {}), (*where, "timeouts"))
        changed: dict[str, Any] = self._values("providers.NAME.timeouts", own, (*where, "timeouts"))
        values: dict[str, Any] = self._values("providers.NAME", table, where, nested=("timeouts", "credentials"))
        return ProviderSettings(
            timeouts=msgspec.structs.replace(general, **changed), credentials=self._credentials(table, where), **values
        )

    def _credentials(self, table: Table, where: Where) -> tuple[CredentialSettings, ...] | None:
        if "credentials" not in table:
            return None
        place = (*where, "credentials")
        raw = table["credentials"]
        if not isinstance(raw, list) or not raw:
            example = 'credentials = [{ name = "…", api_key = "…" }]'
            self._add(place, f"must be a list of at least one table; write {example}")
            return ()
        if "api_key" in table:
            self._add(place, "stands beside api_key; write one of the two")
        found = [self._credential(item, (*place, index)) for index, item in enumerate(raw)]
        for index, one in enumerate(found):
            before = [other for other in found[:index] if one is not None and other is not None]
            if one is not None and any(one.name == other.name for other in before):
                self._add((*place, index, "name"), f'"{one.name}" stands twice')
            elif one is not None and any(one.api_key == other.api_key for other in before):
                self._add((*place, index, "api_key"), "is the same key as another credential's")
        return tuple(one for one in found if one is not None)

    def _credential(self, raw: object, where: Where) -> CredentialSettings | None:
        values = self._item(
            "providers.NAME.credentials[]", raw, where, ("name", "api_key"), "credential has a name and an api_key"
        )
        return None if values is None else CredentialSettings(**values)

    def _check_provider_name(self, name: str, where: Where) -> None:
        if name == LOCAL:
            self._add(where, f"is the name of the embedded model; its settings stand in [{LOCAL}], or use another name")
        elif not PROVIDER_NAME.fullmatch(name):
            self._add(where, "is no name for a provider; use a-z, 0-9, _ and -, at most 64, not beginning with _ or -")

    def _model(self, name: str, value: object) -> ModelSettings:
        where: Where = ("models", name)
        try:
            check_name(name)
        except ValueError as error:
            self._add(where, f"the model's name {error}")
        table = self._table(value, where)
        values: dict[str, Any] = self._values("models.NAME", table, where, nested=("targets",))
        targets = self._targets(table, where) if isinstance(value, dict) else ()  # one problem is enough
        return ModelSettings(targets=targets, **values)

    def _targets(self, table: Table, where: Where) -> tuple[TargetSettings, ...]:
        raw = table.get("targets")
        if not isinstance(raw, list) or not raw:
            what = "are missing" if "targets" not in table else "must be a list of at least one table"
            self._add((*where, "targets"), f'{what}; write targets = [{{ provider = "…", model = "…" }}]')
            return ()
        found = [self._target(item, (*where, "targets", index)) for index, item in enumerate(raw)]
        return tuple(target for target in found if target is not None)

    def _target(self, raw: object, where: Where) -> TargetSettings | None:
        values = self._item(
            "models.NAME.targets[]", raw, where, ("provider", "model"), "target names a provider and a model"
        )
        return None if values is None else TargetSettings(**values)

    def _item(self, name: str, raw: object, where: Where, needed: tuple[str, ...], words: str) -> dict[str, Any] | None:
        """The values of a table in a list; None if it lacks what it needs."""
        if not isinstance(raw, dict):
            self._add(where, f"must be a table, not {type_name(raw)}")
            return None
        values = self._values(name, raw, where)
        for leaf in needed:
            if leaf not in raw:
                self._add((*where, leaf), f"is missing; every {words}")
        return values if set(needed) <= values.keys() else None

    def _values(self, name: str, table: Table, where: Where, nested: tuple[str, ...] = ()) -> dict[str, object]:
        """The usable values of one table; `nested` keys are somebody else's to read."""
        rows = rows_of(name)
        found: dict[str, object] = {}
        for key, raw in table.items():
            if key in nested:
                continue
            if key not in rows:
                self._unknown((*where, key), raw, (*rows, *nested))
                continue
            try:
                found[key] = _placed(rows[key], rows[key].kind.read(expand(raw, self._environ)), self._folder)
            except Refused as refused:
                self._refuse(refused, raw, (*where, key), "file")
        return found

    def _table(self, raw: object, where: Where) -> Table:
        if isinstance(raw, dict):
            return raw
        self._add(where, f"must be a table, not {type_name(raw)}")
        return {}

    def _unknown(self, where: Where, raw: object, known: tuple[str, ...]) -> None:
        """An unknown key: suggest a near one, else the same word in another table."""
        name = str(where[-1])
        elsewhere = next((row.name for row in SETTINGS if row.leaf == name and "NAME" not in row.name), None)
        what = "unknown table" if isinstance(raw, dict) else "unknown setting"
        self._add(where, what, nearest(name, known) or elsewhere)

    def _refuse(self, refused: Refused, raw: object, where: Where, origin: Origin) -> None:
        for refusal in refused.refusals:
            message = refusal.message
            if VALUE in message:
                message = message.replace(VALUE, show(_written(raw, refusal)), 1)
            self.problems.append(Problem((*where, *refusal.inside), message, refusal.suggestion, origin=origin))

    def _add(self, where: Where, message: str, suggestion: str | None = None) -> None:
        self.problems.append(Problem(where, message, suggestion))


def _written(raw: Any, refusal: Refusal) -> object:
    """The refused part as the file has it, before `${NAME}` was replaced."""
    for part in refusal.inside:
        raw = raw[part]
    written: object = raw
    return written


def _placed(row: Row, value: object, folder: Path) -> object:
    """A path made absolute; anything else as it is."""
    if not row.file or not isinstance(value, str) or value in _KEYWORDS:
        return value
    return os.path.abspath(folder / value)
