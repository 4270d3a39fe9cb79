"""What no single setting can tell: whether the names used in the models exist, and whether fallbacks come to an end."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

from encke.config.problems import Problem, Where, nearest, quote
from encke.config.settings import LOCAL, Config, ModelSettings


def cross_check(config: Config, presets: Collection[str]) -> list[Problem]:
    """Problems of names in `[models]`. `presets` are the names of the known providers, `local` among them."""
    known = sorted({*config.providers, *presets, LOCAL})
    problems: list[Problem] = []
    for name, model in config.models.items():
        where: Where = ("models", name)
        if name == LOCAL:
            problems.append(Problem(where, "is the name of the embedded model; choose another"))
        problems += _targets(config, model, where, known)
        problems += _fallbacks(config, model, where, known)
    return problems + _circles(config.models)


def _targets(config: Config, model: ModelSettings, where: Where, known: list[str]) -> list[Problem]:
    problems = []
    for index, target in enumerate(model.targets):
        place = (*where, "targets", index, "provider")
        if target.provider not in known:
            problems.append(_unknown_provider(target.provider, place, known))
        elif target.provider == LOCAL and not config.local.enabled:
            problems.append(Problem(place, _LOCAL_IS_OFF))
    return problems


_LOCAL_IS_OFF = "names the embedded model, which is off; set local.enabled = true, or leave it out"


def _unknown_provider(name: str, place: Where, known: list[str]) -> Problem:
    words = f"{quote(name)} is no provider; add [providers.NAME] for it"
    return Problem(place, words, nearest(name, known))


def _fallbacks(config: Config, model: ModelSettings, where: Where, known: list[str]) -> list[Problem]:
    problems = []
    for index, name in enumerate(model.fallback):
        place = (*where, "fallback", index)
        provider, slash, rest = name.partition("/")
        if name in config.models:
            continue
        if name == LOCAL:
            problems += [] if config.local.enabled else [Problem(place, _LOCAL_IS_OFF)]
        elif slash and rest and provider in known:
            continue
        else:
            problems.append(_unknown_fallback(config, name, place, known))
    return problems


def _unknown_fallback(config: Config, name: str, place: Where, known: list[str]) -> Problem:
    provider, slash, rest = name.partition("/")
    meant = nearest(name, (*config.models, LOCAL))
    if slash and rest and (near := nearest(provider, known)) is not None:
        meant = meant or f"{near}/{rest}"
    owners = [owner for owner, settings in config.providers.items() if name in settings.models]
    if len(owners) == 1:
        meant = f"{owners[0]}/{name}"
    return Problem(place, f'{quote(name)} is no model; name one of [models], "{LOCAL}", or "provider/model"', meant)


def _circles(models: Mapping[str, ModelSettings]) -> list[Problem]:
    """One problem for every circle of fallbacks, at its first model in the order of the file."""
    problems: list[Problem] = []
    told: set[str] = set()
    for name in models:
        way = None if name in told else _way_back(name, models)
        if way is not None:
            told.update(way)
            message = f"goes round in a circle: {' -> '.join(way)}; leave one of them out"
            problems.append(Problem(("models", name, "fallback"), message))
    return problems


def _way_back(start: str, models: Mapping[str, ModelSettings]) -> list[str] | None:
    """The shortest way through fallbacks from a model to itself, both ends included; None if there is none."""
    came_from: dict[str, str] = {}
    pending = deque([start])
    while pending:
        name = pending.popleft()
        for following in models[name].fallback:
            if following == start:
                return [*_trace(name, start, came_from), start]
            if following in models and following not in came_from:
                came_from[following] = name
                pending.append(following)
    return None


def _trace(name: str, start: str, came_from: Mapping[str, str]) -> list[str]:
    way = [name]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]
