"""What surrounds every page: the rail with its counts, the night's state, and times in the forum's zone."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from flask import Blueprint, g, request
from markupsafe import Markup

from forllm_server.clock import now
from forllm_server.config import static_dir
from forllm_server.errors import Unavailable
from forllm_server.forum.model import RailSubforum, Subforum
from forllm_server.forum.subforum_store import list_rail, list_subforums
from forllm_server.jobs.standing import pause_words
from forllm_server.pages.marks import hue_class, mark
from forllm_server.pages.words import context_words, counted, size_words
from forllm_server.queue.llm_request_store import count_by_status
from forllm_server.queue.model import Status
from forllm_server.queue.pause_store import list_pauses
from forllm_server.queue.pausing import find_pause
from forllm_server.schedule.gate import read_gate
from forllm_server.settings.theme import find_theme
from forllm_server.settings.values import Settings, read_settings, settings_from
from forllm_server.votes.standings import count_waiting
from forllm_server.web.current import current, current_user_id
from forllm_server.web.snapshot import page_read

blueprint = Blueprint("frame", __name__)

blueprint.add_app_template_global(mark)
blueprint.add_app_template_global(hue_class)
blueprint.add_app_template_global(counted)
blueprint.add_app_template_global(context_words)
blueprint.add_app_template_global(size_words)


_ELEMENT = re.compile(r"<forllm-([a-z]+)")

#: Keys that lead to a place from everywhere; elements/keys.js presses the link that carries them.
PLACE_KEYS = {
    "/": "g h",
    "/morning": "g m",
    "/unread": "g u",
    "/queue": "g q",
    "/activity": "g a",
    "/search": "/",
    "/bookmarks": "g b",
    "/drafts": "g d",
    "/personas": "g p",
    "/votes": "g v",
    "/schedule": "g w",
    "/batches": "g l",
    "/experiments": "g e",
    "/backends": "g x",
    "/settings": "g s",
    "/trash": "g t",
}
#: How many places the bar at the foot of a phone's screen has room for, beside "More".
BAR_ENTRIES = 4


@dataclass(frozen=True)
class Entry:
    """A line of the rail. ``is_wide`` ones are left out on a phone; their pages lead on from Settings."""

    label: str
    url: str
    icon: str
    is_current: bool
    count: int = 0
    counted: str = ""
    is_lit: bool = False
    is_wide: bool = False

    @property
    def key(self) -> str:
        """The keys that lead there, as in static/js/elements/keys.js; empty: none."""
        return PLACE_KEYS.get(self.url, "")


@dataclass(frozen=True)
class Night:
    """The night's state, as it always stands in the corner."""

    is_open: bool
    head: str
    tail: str
    running: int
    queued: int
    failed: int
    is_paused: bool = False


@dataclass(frozen=True)
class Frame:
    """Everything the layout shows. Without a readable database it is bare, so that an error page still has a shape."""

    entries: tuple[Entry, ...]
    theme: str = "auto"
    density: str = "comfortable"
    text_size: str = "normal"
    has_keys: bool = True
    #: when the theme of one's own was stored, in its style sheet's address; empty: another one is on
    theme_stamp: str = ""
    #: the subforums, in the order of their groups
    shelf: tuple[RailSubforum, ...] = ()
    subforum_id: int | None = None
    night: Night | None = None

    @property
    def subforums(self) -> tuple[Subforum, ...]:
        """The subforums with their counts, read only where a page shows those."""
        if "subforums" not in g:
            with page_read() as connection:
                g.subforums = tuple(list_subforums(connection))
        found: tuple[Subforum, ...] = g.subforums
        return found

    @property
    def bar(self) -> tuple[Entry, ...]:
        """The places at the foot of a phone's screen."""
        return tuple(entry for entry in self.entries if not entry.is_wide)[:BAR_ENTRIES]

    @property
    def more(self) -> tuple[Entry, ...]:
        """The places that are behind "More" there."""
        return tuple(entry for entry in self.entries if entry not in self.bar)


@blueprint.app_template_global()
def page_frame() -> Frame:
    """The frame of the present page."""
    try:
        return _read_frame()
    except Unavailable:
        return Frame(_entries(0, 0, 0))


def current_settings() -> Settings:
    """The settings, read once in a request."""
    if "settings" not in g:
        with current().database.read() as connection:
            g.settings = read_settings(connection)
    found: Settings = g.settings
    return found


@blueprint.app_template_global()
def moment(at: datetime, *, is_relative: bool = True) -> Markup:
    """A time as people read it, in the forum's zone; the page's script keeps it up to date."""
    zone = _zone()
    return _moment(at, zone, now().astimezone(zone).date(), is_relative)


@lru_cache(maxsize=2048)
def _moment(at: datetime, zone: ZoneInfo, today: date, is_relative: bool) -> Markup:
    # A list has dozens, most of them the same as on the page before.
    local = at.astimezone(zone)
    return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
        at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        f"{local:%A} {local.day} {local:%B %Y, %H:%M}",
        Markup(" data-moment") if is_relative else "",
        moment_text(local, today),
    )


def moment_text(local: datetime, today: date) -> str:
    """``21:48`` today, ``yesterday 21:48``, ``Tue 21:48`` within six days, else the date. Both in the reader's zone."""
    days = (today - local.date()).days
    clock = local.strftime("%H:%M")
    if days == 0:
        return clock
    if days == 1:
        return f"yesterday {clock}"
    if 1 < days < 7:
        return f"{local.strftime('%a')} {clock}"
    # The day without a leading zero: strftime's own way differs from system to system.
    return f"{local.day} {local:%b %H:%M}" if local.year == today.year else f"{local.day} {local:%b %Y}"


def _zone() -> ZoneInfo:
    try:
        return current_settings().zone
    except Unavailable:
        return settings_from({}).zone


def _read_frame() -> Frame:
    if request.method != "GET":
        # They may have been changed since they were read.
        g.pop("settings", None)
    settings = current_settings()
    with page_read() as connection:
        shelf = tuple(list_rail(connection))
        own = find_theme(connection) if settings.theme == "own" else None
        counts = count_by_status(connection)
        gate = read_gate(connection, now(), settings.zone)
        paused = find_pause(list_pauses(connection), None, now())
        undecided = count_waiting(connection, current_user_id(), now())
    running, failed = counts.get(Status.RUNNING, 0), counts.get(Status.FAILED, 0)
    queued = counts.get(Status.QUEUED, 0) + counts.get(Status.WAITING, 0)
    if paused is None:
        words = gate.words()
        head, _, tail = words.partition(",") if "," in words else words.partition(":")
    else:
        words = head = pause_words(paused, now(), settings.zone).partition(": ")[0]
        tail = ""
    night = Night(
        is_open=gate.is_open() and paused is None,
        head=head[:1].upper() + head[1:],
        tail=f",{tail}" if "," in words else "",
        is_paused=paused is not None,
        running=running,
        queued=queued,
        failed=failed,
    )
    return Frame(
        _entries(running + queued, failed, undecided),
        theme="auto" if settings.theme == "own" and own is None else settings.theme,
        density=settings.density,
        text_size=settings.text_size,
        has_keys=settings.has_keys,
        theme_stamp=f"{own[1].timestamp():.6f}" if own else "",
        shelf=shelf,
        subforum_id=g.get("subforum_id"),
        night=night,
    )


def _entries(queued: int, failed: int, undecided: int) -> tuple[Entry, ...]:
    path = request.path

    def entry(
        label: str, url: str, icon: str, *, is_wide: bool = False, count: int = 0, counted: str = "queued"
    ) -> Entry:
        is_current = path == url or (url != "/" and path.startswith(url + "/"))
        return Entry(label, url, icon, is_current, count, counted, is_lit=count > 0, is_wide=is_wide)

    return (
        entry("Home", "/", "house"),
        entry("Morning", "/morning", "sun"),
        entry("Unread", "/unread", "inbox", is_wide=True),
        entry("Queue", "/queue", "list-end", count=queued),
        entry("Batches", "/batches", "table", is_wide=True),
        entry("Experiments", "/experiments", "git-compare", is_wide=True),
        entry("Bookmarks", "/bookmarks", "bookmark", is_wide=True),
        entry("Drafts", "/drafts", "pencil", is_wide=True),
        entry("Personas", "/personas", "users-round"),
        entry("Votes", "/votes", "scale", is_wide=True, count=undecided, counted="pairs wait for your vote"),
        entry("Schedule", "/schedule", "calendar-clock"),
        entry("Backends", "/backends", "server", is_wide=True),
        entry("Settings", "/settings", "settings"),
    )


@blueprint.app_template_global()
def elements_in(html: str) -> list[str]:
    """The names NAME of the elements ``<forllm-NAME>`` in a page's content, each once: their scripts are linked."""
    return sorted(set(_ELEMENT.findall(html)) & _element_names())


@cache
def _element_names() -> frozenset[str]:
    return frozenset(file.stem for file in (static_dir() / "js" / "elements").glob("*.js"))


@blueprint.app_template_global()
def field_id(name: str, part: str = "field") -> str:
    """The id of a control or of a text tied to it; several forms can stand on one page (see :func:`name_form`)."""
    return "-".join(filter(None, (part, name, g.get("form_name", ""))))


def name_form(name: str) -> None:
    """Give the controls of the present answer's form ids of their own."""
    g.form_name = name
