"""The one table of forum settings: form, validation, API and docs/settings.md all read it.

A new setting is a row here, an attribute of :class:`forllm_server.settings.values.Settings`, and its use.
Options of the process (address, folders, workers) are not here but in ``config.py``.
"""

from dataclasses import dataclass
from enum import Enum

Value = int | float | str | bool | None


class Kind(Enum):
    """What a setting holds, and so how it is drawn in the form."""

    #: a whole number between ``minimum`` and ``maximum``
    INTEGER = "integer"
    #: a number between ``minimum`` and ``maximum``
    NUMBER = "number"
    #: yes or no
    BOOLEAN = "boolean"
    #: one of ``choices``
    CHOICE = "choice"
    #: an IANA zone name, or empty for the machine's
    TIMEZONE = "timezone"
    #: the id of a model
    MODEL = "model"
    #: the id of a persona
    PERSONA = "persona"


class Section(Enum):
    """Headings of the settings page, in its order."""

    ANSWERS = "Answers"
    NIGHT = "Night and queue"
    READING = "Reading"


@dataclass(frozen=True)
class Field:
    """One setting. ``is_optional`` allows no value (JSON ``null``, an empty field of the form)."""

    name: str
    label: str
    default: Value
    kind: Kind
    section: Section
    help: str
    is_optional: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""


FIELDS: tuple[Field, ...] = (
    Field(
        "default_model_id", "Default model", None, Kind.MODEL, Section.ANSWERS, is_optional=True,
        help="Answers when neither the question nor the persona names a model. "
        "Empty: the first model that is there.",
    ),
    Field(
        "default_persona_id", "Default persona", 1, Kind.PERSONA, Section.ANSWERS,
        help="Answers when neither the question nor the subforum names a persona.",
    ),
    Field(
        "default_context_tokens", "Context size", 4096, Kind.INTEGER, Section.ANSWERS,
        minimum=256, maximum=4_194_304, unit="tokens",
        help="How much a model can read and write at once, where its server does not say.",
    ),
    Field(
        "reply_max_tokens", "Longest reply", 1024, Kind.INTEGER, Section.ANSWERS,
        minimum=16, maximum=1_048_576, unit="tokens",
        help="Kept free for the reply when a prompt is built; a longer reply is cut there.",
    ),
    Field(
        "temperature", "Temperature", None, Kind.NUMBER, Section.ANSWERS, is_optional=True, minimum=0, maximum=2,
        help="0 gives the likeliest words, more gives more variety. Empty: the server's own default.",
    ),
    Field(
        "timezone", "Time zone", "", Kind.TIMEZONE, Section.NIGHT,
        help="Used for the schedule and for the times shown, e.g. Europe/Berlin. Empty: this machine's.",
    ),
    Field(
        "silence_seconds", "Patience with a silent server", 600, Kind.INTEGER, Section.NIGHT,
        minimum=5, maximum=86_400, unit="seconds",
        help="A server that sends nothing for so long is given up. There is no limit on how long a reply takes.",
    ),
    Field(
        "max_attempts", "Attempts", 3, Kind.INTEGER, Section.NIGHT, minimum=1, maximum=20,
        help="How often an LLM request is tried before it counts as failed. "
        "A closed window or an unreachable server does not use one up.",
    ),
    Field(
        "posts_per_page", "Posts on a page", 50, Kind.INTEGER, Section.READING, minimum=5, maximum=200,
        help="How many posts of a topic one page shows.",
    ),
    Field(
        "topics_per_page", "Topics on a page", 50, Kind.INTEGER, Section.READING, minimum=5, maximum=200,
        help="How many topics of a subforum one page shows.",
    ),
    Field(
        "theme", "Colours", "auto", Kind.CHOICE, Section.READING, choices=("auto", "light", "dark"),
        help="auto follows the system.",
    ),
    Field(
        "density", "Spacing", "comfortable", Kind.CHOICE, Section.READING, choices=("comfortable", "compact"),
        help="compact shows more on a screen.",
    ),
    Field(
        "shows_link_warning", "Ask before following a model's link", True, Kind.BOOLEAN, Section.READING,
        help="A link written by a model is shown with its full address before it is opened.",
    ),
)  # fmt: skip

FIELDS_BY_NAME: dict[str, Field] = {field.name: field for field in FIELDS}
