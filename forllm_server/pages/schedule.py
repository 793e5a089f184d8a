"""The schedule: the week as a picture, its windows and exceptions, and "tonight also until"."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response

from forllm_server.catalog.backend_store import list_backends
from forllm_server.catalog.model import BackendRecord
from forllm_server.clock import now
from forllm_server.pages.hours import hours_words
from forllm_server.schedule import planning
from forllm_server.schedule.exception_store import list_exceptions
from forllm_server.schedule.gate import Gate, read_gate
from forllm_server.schedule.week import week_picture
from forllm_server.schedule.window_store import get_window, list_windows
from forllm_server.schedule.windows import DAYS, Closing, ExceptionKind, Window
from forllm_server.schedule.words import DAY_WORDS, clock_words, days_words, exception_words, window_words
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("schedule", __name__)

CLOSING_WORDS = (
    (Closing.FINISH.value, "finish the reply that is being written"),
    (Closing.PAUSE.value, "pause it, and go on at the next opening"),
    (Closing.STOP.value, "stop it, and start afresh at the next opening"),
)
_WORDS: dict[str, Any] = {
    "clock_words": clock_words,
    "days_words": days_words,
    "window_words": window_words,
    "exception_words": exception_words,
    "day_words": tuple(DAY_WORDS.items()),
    "closing_words": CLOSING_WORDS,
}


@blueprint.get("/schedule")
def show() -> Response:
    """The week, the next opening in words, and all rows."""
    moment = now()
    with current().database.read() as connection:
        zone = read_settings(connection).zone
        gate = read_gate(connection, moment, zone)
        windows = list_windows(connection)
        local = moment.astimezone(zone)
        exceptions = list_exceptions(connection, since=local.date() - timedelta(days=1))
        backends = list_backends(connection)
    own = {window.backend_id for window in windows if window.backend_id is not None and window.is_enabled}
    shown: list[tuple[int | None, str]] = [(b.id, b.name) for b in backends if b.id in own]
    if len(shown) < max(len(backends), 1):
        shown.insert(0, (None, "All other backends" if shown else "All backends"))
    pictures = [(label, week_picture(gate.plan, backend_id, local.date())) for backend_id, label in shown]
    return page(
        "schedule/show.html",
        hours_words=hours_words(gate, backends),
        zone_name=zone.key,
        pictures=pictures,
        today=local.date(),
        now_minute=local.hour * 60 + local.minute,
        is_always_open=_is_always_open(gate, backends),
        windows=windows,
        exceptions=exceptions,
        backends=_backend_options(backends),
        backend_names={backend.id: backend.name for backend in backends},
        **_WORDS,
    )


def _is_always_open(gate: Gate, backends: Sequence[BackendRecord]) -> bool:
    """Whether nothing ever closes: then there is nothing to be opened tonight either."""
    return gate.is_always_open() and all(gate.is_always_open(backend.id) for backend in backends)


@blueprint.post("/schedule/windows")
@shows_again(show)
def create_window() -> Response:
    """Add a window."""
    window = _window(Form.of_request())
    with current().database.transaction() as connection:
        planning.add_window(connection, window, owner_id=current_user_id(), now=now())
    return _told(_window_told(window), window.backend_id)


@blueprint.get("/schedule/windows/<int:window_id>")
def show_window(window_id: int) -> Response:
    """The form that changes a window."""
    with current().database.read() as connection:
        window = get_window(connection, window_id)
        windows = list_windows(connection)
        backends = list_backends(connection)
    return page("schedule/window.html", window=window, windows=windows, backends=_backend_options(backends), **_WORDS)


@blueprint.post("/schedule/windows/<int:window_id>")
@shows_again(show_window)
def change_window(window_id: int) -> Response:
    """Change a window."""
    window = _window(Form.of_request())
    with current().database.transaction() as connection:
        planning.change_window(connection, window_id, window)
    return _told(_window_told(window), window.backend_id)


@blueprint.post("/schedule/windows/<int:window_id>/delete")
def delete_window(window_id: int) -> Response:
    """Take a window out of the schedule."""
    with current().database.transaction() as connection:
        planning.delete_window(connection, window_id)
    current().wake_worker()
    notice("The window was deleted.")
    return see_other("/schedule")


@blueprint.post("/schedule/exceptions")
@shows_again(show)
def create_exception() -> Response:
    """Add a date that differs from its week."""
    form = Form.of_request()
    item = planning.new_exception(
        day=planning.read_date(form.text("date", longest=40)),
        kind=form.choice("kind", [kind.value for kind in ExceptionKind], default=ExceptionKind.CLOSED),
        start_minute=_clock(form, "exception_start"),
        end_minute=_clock(form, "exception_end"),
        backend_id=form.integer("exception_backend_id", least=1, most=2**63 - 1),
        fields=("exception_start", "exception_end"),
    )
    with current().database.transaction() as connection:
        planning.add_exception(
            connection,
            item,
            owner_id=current_user_id(),
            now=now(),
            note=form.text("note"),
            backend_field="exception_backend_id",
        )
    return _told(f"{exception_words(item)}.", item.backend_id)


@blueprint.post("/schedule/exceptions/<int:exception_id>/delete")
def delete_exception(exception_id: int) -> Response:
    """Let a date follow its week again."""
    with current().database.transaction() as connection:
        planning.delete_exception(connection, exception_id)
    current().wake_worker()
    return see_other("/schedule")


@blueprint.post("/schedule/tonight")
@shows_again(show)
def open_tonight() -> Response:
    """Open from now until a time of day, for all backends or one."""
    form = Form.of_request()
    end_minute = planning.read_clock(form.text("until", longest=20, is_required=True), "until")
    with current().database.transaction() as connection:
        planning.open_until(
            connection,
            end_minute,
            owner_id=current_user_id(),
            now=now(),
            backend_id=form.integer("tonight_backend_id", least=1, most=2**63 - 1),
            note="tonight also",
            backend_field="tonight_backend_id",
        )
    current().wake_worker()
    notice(f"Open until {clock_words(end_minute)}.")
    return see_other("/schedule")


def _window_told(window: Window) -> str:
    """How a window was understood; a closing before the opening is on the next day."""
    hours = f"{clock_words(window.start_minute)} to {clock_words(window.end_minute)}"
    overnight = " of the next day" if window.is_overnight else ""
    return f"Kept: {days_words(window.days)} {'all day' if window.is_all_day else hours + overnight}."


def _told(words: str, backend_id: int | None) -> Response:
    """Back to the schedule, with ``words``; and told when what was done leaves no opening at all."""
    current().wake_worker()
    with current().database.read() as connection:
        gate = read_gate(connection, now())
    if gate.is_open(backend_id) or gate.next_opening(backend_id):
        notice(words)
    else:
        notice(f"{words} Now no opening is in sight: only “Run now” begins anything.", kind="warning")
    return see_other("/schedule")


def _window(form: Form) -> Window:
    return planning.new_window(
        days=form.words("days") or (DAYS if form.flag("is_daily") else ()),
        start_minute=planning.read_clock(form.text("start_minute", longest=20, is_required=True), "start_minute"),
        end_minute=planning.read_clock(form.text("end_minute", longest=20, is_required=True), "end_minute"),
        timezone=form.text("timezone", longest=100).strip() or None,
        closing=form.choice("closing", [closing.value for closing in Closing], default=Closing.FINISH),
        backend_id=form.integer("backend_id", least=1, most=2**63 - 1),
        is_enabled=form.flag("is_enabled"),
    )


def _clock(form: Form, name: str) -> int | None:
    text = form.text(name, longest=20).strip()
    return planning.read_clock(text, name) if text else None


def _backend_options(backends: list[BackendRecord]) -> list[tuple[object, str]]:
    return [("", "All backends"), *((backend.id, backend.name) for backend in backends)]
