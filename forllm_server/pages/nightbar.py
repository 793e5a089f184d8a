"""The window as a bar: which model works when, a strip for each backend. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from forllm_server.jobs.forecast import Forecast
from forllm_server.queue.model import LlmRequest
from forllm_server.schedule.gate import Gate
from forllm_server.schedule.windows import openings
from forllm_server.schedule.words import moment_words

#: Without a closing in sight the bar ends with the work, but is never shorter than this.
_SHORTEST = timedelta(minutes=10)
#: A longer time in which nothing runs is left empty.
_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True)
class Stretch:
    """A model at work. ``x`` and ``width`` are percent of the bar; ``begins`` and ``ends`` in words."""

    model: str
    hue: str
    x: float
    width: float
    count: int
    begins: str
    ends: str


@dataclass(frozen=True)
class Strip:
    """What one backend does. ``doubt``: (x, width) of the time it may take longer."""

    backend: str
    stretches: tuple[Stretch, ...]
    doubt: tuple[float, float]

    @property
    def description(self) -> str:
        """``qwen3:8b from 22:30 to 02:40, ...``."""
        return ", ".join(f"{each.model} from {each.begins} to {each.ends}" for each in self.stretches)


@dataclass(frozen=True)
class NightBar:
    """``begins`` and ``ends`` of the window in words; ``later_count``: what comes after it."""

    begins: str
    ends: str
    strips: tuple[Strip, ...]
    later_count: int

    @property
    def description(self) -> str:
        """The same in a sentence."""
        return "; ".join(
            f"{strip.backend}: "
            + ", ".join(f"{each.model} from {each.begins} to {each.ends}" for each in strip.stretches)
            for strip in self.strips
        )

    @property
    def legend(self) -> list[tuple[str, str]]:
        """(hue, model) of each model once, in the order of work."""
        return list(dict.fromkeys((each.hue, each.model) for strip in self.strips for each in strip.stretches))


@dataclass(frozen=True)
class Names:
    """How backends and models are called, and the hue of each model."""

    backends: Mapping[int, str]
    models: Mapping[int | None, str]
    hues: Mapping[int | None, str]


@dataclass(frozen=True)
class _Piece:
    backend_id: int
    model_id: int | None
    begins: datetime
    ends: datetime
    may_end: datetime


def night_bar(forecast: Forecast, running: Sequence[LlmRequest], gate: Gate, names: Names) -> NightBar | None:
    """The bar of the present or the next window; None when nothing can be foretold."""
    pieces = _pieces(forecast, running)
    if not pieces:
        return None
    begins, ends = _window(forecast.at, pieces, gate)
    shown = [piece for piece in pieces if piece.begins < ends]
    strips = []
    for backend_id, members in groupby(sorted(shown, key=lambda piece: piece.backend_id), key=lambda p: p.backend_id):
        strips.append(_strip(list(members), (begins, ends), forecast, names, names.backends.get(backend_id, "")))
    words = [moment_words(at, forecast.at, forecast.zone) for at in (begins, ends)]
    return NightBar(words[0], words[1], tuple(strips), len(pieces) - len(shown))


def _pieces(forecast: Forecast, running: Sequence[LlmRequest]) -> list[_Piece]:
    """Every request whose time is known, in the order of work within its backend."""
    line = [(each.id, each.backend_id or 0, each.model_id) for each in running]
    line += [(each.id, each.backend_id, each.model_id) for each in forecast.plan]
    return [
        _Piece(
            backend_id,
            model_id,
            max(forecast.starts_at.get(key, forecast.at), forecast.at),
            forecast.done_by[key].middle_at,
            forecast.done_by[key].high_at,
        )
        for key, backend_id, model_id in line
        if key in forecast.done_by
    ]


def _window(now: datetime, pieces: Sequence[_Piece], gate: Gate) -> tuple[datetime, datetime]:
    first = min(pieces, key=lambda piece: piece.begins)
    last = max(piece.may_end for piece in pieces)
    opening = next((each for each in openings(gate.plan, first.backend_id, now)), None)
    if opening is None or opening.end is None:
        return first.begins, max(last, first.begins + _SHORTEST)
    # "Run now" begins before the window opens.
    return min(first.begins, max(opening.start, now)), opening.end


def _strip(
    pieces: Sequence[_Piece], window: tuple[datetime, datetime], forecast: Forecast, names: Names, backend: str
) -> Strip:
    stretches = []
    for members in _together(pieces):
        begins, ends = min(each.begins for each in members), max(each.ends for each in members)
        x, width = _place(begins, ends, window)
        words = [moment_words(at, forecast.at, forecast.zone) for at in (begins, ends)]
        model_id = members[0].model_id
        model = names.models.get(model_id, "a model")
        stretches.append(Stretch(model, names.hues.get(model_id, ""), x, width, len(members), words[0], words[1]))
    doubt = _place(max(each.ends for each in pieces), max(each.may_end for each in pieces), window)
    return Strip(backend, tuple(stretches), doubt)


def _together(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """The pieces of one model that follow one another without a pause."""
    groups: list[list[_Piece]] = []
    ends: datetime | None = None
    for piece in pieces:
        if ends is None or piece.model_id != groups[-1][0].model_id or piece.begins > ends + _PAUSE:
            groups.append([])
            ends = piece.ends
        groups[-1].append(piece)
        ends = max(ends, piece.ends)
    return groups


def _place(begins: datetime, ends: datetime, window: tuple[datetime, datetime]) -> tuple[float, float]:
    whole = (window[1] - window[0]).total_seconds()
    x, end = (100 * min(max((at - window[0]).total_seconds() / whole, 0.0), 1.0) for at in (begins, ends))
    return round(x, 2), round(end - x, 2)
