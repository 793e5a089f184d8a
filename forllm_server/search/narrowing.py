"""The filters of a query with their names looked up: what they leave, and what to say about names nobody has."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from forllm_server.search.model import Narrowing
from forllm_server.search.name_store import Named, list_model_names, list_persona_names, list_subforum_names
from forllm_server.search.query import Filter, FilterName, day_parts

_MOST_NAMES_TOLD = 8


def narrowing_of(
    connection: Connection, filters: Sequence[Filter], *, reader_id: int, zone: ZoneInfo
) -> tuple[Narrowing, list[str]]:
    """What ``filters`` leave, and sentences about those that leave nothing because nobody has that name."""
    hints: list[str] = []
    read = partial(_read, connection, reader_id=reader_id, zone=zone, hints=hints)
    narrowing = Narrowing()
    for filter_ in filters:
        if filter_.is_negated:
            without = read(Narrowing(), filter_)
            narrowing = replace(narrowing, without=(*narrowing.without, without))
        else:
            narrowing = read(narrowing, filter_)
    return narrowing, hints


def match_names(value: str, names: Iterable[Named]) -> frozenset[int]:
    """The ids of those who are named ``value``; when nobody is, of those whose names contain it. Case is no matter."""
    wanted = value.casefold()
    known = list(names)
    same = [named.ids for named in known if named.name.casefold() == wanted]
    alike = [named.ids for named in known if wanted in named.name.casefold()]
    return frozenset().union(*(same or alike))


def _read(
    connection: Connection,
    narrowing: Narrowing,
    filter_: Filter,
    *,
    reader_id: int,
    zone: ZoneInfo,
    hints: list[str],
) -> Narrowing:
    name, value = filter_.name, filter_.value
    if name is FilterName.IN:
        ids = _named(value, list_subforum_names(connection), "subforum", hints)
        return replace(narrowing, subforum_ids=(narrowing.subforum_ids or frozenset()) | ids)
    if name is FilterName.PERSONA:
        ids = _named(value.removeprefix("@"), list_persona_names(connection), "persona", hints)
        return replace(narrowing, persona_version_ids=(narrowing.persona_version_ids or frozenset()) | ids)
    if name is FilterName.MODEL:
        return replace(
            narrowing, model_names=(narrowing.model_names or frozenset()) | _models(connection, value, hints)
        )
    if name in (FilterName.BEFORE, FilterName.AFTER):
        return _within(narrowing, name, _beginning(value, zone))
    if name is FilterName.BY:
        return replace(narrowing, author_id=reader_id)
    if name is FilterName.IS:
        return replace(narrowing, states=narrowing.states | {value})
    return replace(narrowing, contents=narrowing.contents | {value})


def _named(value: str, names: list[Named], kind: str, hints: list[str]) -> frozenset[int]:
    ids = match_names(value, names)
    if not ids:
        hints.append(_nobody(value, kind, [named.name for named in names]))
    return ids


def _models(connection: Connection, value: str, hints: list[str]) -> frozenset[str]:
    known = list_model_names(connection)
    found = frozenset(name for name in known if value.casefold() in name.casefold())
    if not found:
        hints.append(_nobody(value, "model", known, verb="answered here with a name like"))
    return found


def _nobody(value: str, kind: str, known: list[str], *, verb: str = "is called") -> str:
    told = ", ".join(dict.fromkeys(known[:_MOST_NAMES_TOLD]))
    more = ", …" if len(known) > _MOST_NAMES_TOLD else ""
    return f"No {kind} {verb} “{value}”." + (f" There are: {told}{more}." if told else "")


def _beginning(value: str, zone: ZoneInfo) -> datetime:
    return datetime(*day_parts(value), tzinfo=zone)


def _within(narrowing: Narrowing, name: FilterName, moment: datetime) -> Narrowing:
    if name is FilterName.BEFORE:
        return replace(narrowing, until=min(moment, narrowing.until or moment))
    return replace(narrowing, since=max(moment, narrowing.since or moment))
