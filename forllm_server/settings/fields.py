"""The one table of forum settings: form, validation, API and docs/settings.md all read it.

A new setting is a row here, an attribute of :class:`forllm_server.settings.values.Settings`, and its use.
Options of the process (address, folders, workers) are not here but in ``config.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from forllm_server.settings.texts import MOST_COMMAND_CHARACTERS, check_command, check_lines, check_programs

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
    #: a line of text, empty or up to ``longest`` characters, that ``check`` accepts
    TEXT = "text"
    #: an IANA zone name, or empty for the machine's
    TIMEZONE = "timezone"
    #: the id of a model
    MODEL = "model"
    #: the id of a persona
    PERSONA = "persona"


class Section(Enum):
    """Headings of the settings page, in its order."""

    ANSWERS = "Answers"
    CONTEXT = "What models see"
    NIGHT = "Night and queue"
    MACHINE = "The machine"
    FILES = "Files"
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
    #: how the choices are called in the form, in their order; empty: as they are
    choice_labels: tuple[str, ...] = ()
    unit: str = ""
    #: characters, of a text
    longest: int = 0
    #: a text of several lines
    has_lines: bool = False
    #: given a text and the setting's name; raises Invalid
    check: Callable[[str, str], object] | None = None


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
        "custom_instructions", "Your instructions to every persona", "", Kind.TEXT, Section.ANSWERS,
        longest=4_000, has_lines=True, check=check_lines,
        help="What you want of every answer, whoever gives it: a language, a unit system, what you know already. "
        "Sent with every prompt, after the persona's own instructions.",
    ),
    Field(
        "judge_persona_id", "Judge", None, Kind.PERSONA, Section.ANSWERS, is_optional=True,
        help="Votes on replies as you do, when you ask for it on the leaderboard; kept apart from your votes. "
        "Empty: nobody.",
    ),
    Field(
        "summaries", "Sum up long threads", "auto", Kind.CHOICE, Section.CONTEXT,
        choices=("auto", "on", "off"),
        help="When a thread no longer fits, what would be left out of it is summed up as work of the night, and models "
        "get the summary instead. auto: unless only the tiny embedded model is there. off: only when you ask for it.",
    ),
    Field(
        "ambient", "Other branches of the topic", "off", Kind.CHOICE, Section.CONTEXT,
        choices=("off", "newest", "nearest"),
        choice_labels=("not shown to models", "the newest posts there", "the nearest posts there"),
        help="Given to models besides the thread itself, labelled as such, where there is room. A persona may have it "
        "otherwise.",
    ),
    Field(
        "ambient_posts", "Posts of other branches at most", 5, Kind.INTEGER, Section.CONTEXT, minimum=1, maximum=50,
        help="Only whole posts are given.",
    ),
    Field(
        "ambient_posts_per_branch", "Of one branch at most", 2, Kind.INTEGER, Section.CONTEXT, minimum=1, maximum=50,
        help="The newest ones of each.",
    ),
    Field(
        "ambient_percent", "Share of other branches", 30, Kind.INTEGER, Section.CONTEXT,
        minimum=1, maximum=90, unit="%",
        help="Of the room for the prompt, and never more than the thread leaves free.",
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
        "digest", "A line about each topic in the morning", "auto", Kind.CHOICE, Section.NIGHT,
        choices=("auto", "on", "off"),
        help="Asked of a model as the last work of a night, for the Morning page. "
        "auto: unless only the tiny embedded model is there, whose lines would be nonsense.",
    ),
    Field(
        "stall_minutes", "Tell of a stand after", 20, Kind.INTEGER, Section.NIGHT,
        minimum=1, maximum=1440, unit="minutes",
        help="When work waits, the hours allow it, and for so long a server cannot be reached or everything fails, "
        "the channels that want to know are told.",
    ),
    Field(
        "max_asked_at_once", "Most replies asked for at once", 100, Kind.INTEGER, Section.NIGHT,
        minimum=1, maximum=10_000,
        help="More than so many in one go are refused: a slip of the finger, or of a program, fills no night.",
    ),
    Field(
        "longest_chain", "Longest chain of personas", 5, Kind.INTEGER, Section.NIGHT,
        minimum=2, maximum=20,
        help="In a chain such as @skeptic>@teacher each answers the one before it. What is longer is cut, and told.",
    ),
    Field(
        "max_waiting", "Most LLM requests waiting", 200_000, Kind.INTEGER, Section.NIGHT,
        minimum=1, maximum=10_000_000,
        help="Of one person, held ones included. Who has so many waiting can ask for nothing more for now.",
    ),
    Field(
        "yields_cpu_percent", "Make way when others use more of the CPU than", None, Kind.INTEGER, Section.MACHINE,
        is_optional=True, minimum=5, maximum=100, unit="%",
        help="A share of all cores. Models here then pause within 30 seconds. Empty: the CPU does not count.",
    ),
    Field(
        "yields_gpu_percent", "Make way when others use more of a graphics card than", None, Kind.INTEGER,
        Section.MACHINE, is_optional=True, minimum=5, maximum=100, unit="%",
        help="As told by the driver, of the card that others use most. Empty: graphics cards do not count.",
    ),
    Field(
        "yields_to_programs", "Make way for these programs", "", Kind.TEXT, Section.MACHINE,
        longest=1000, check=check_programs,
        help="Names with commas between them, as in steam_app_*, blender. Models pause while one of them runs.",
    ),
    Field(
        "busy_seconds", "Busy after", 15, Kind.INTEGER, Section.MACHINE, minimum=0, maximum=20, unit="seconds",
        help="Only use that lasts for so long counts.",
    ),
    Field(
        "quiet_minutes", "Go on after quiet for", 10, Kind.INTEGER, Section.MACHINE,
        minimum=1, maximum=240, unit="minutes",
        help="Models go on when nobody has used the machine for so long.",
    ),
    Field(
        "keeps_awake", "Keep the machine awake for waiting work", True, Kind.BOOLEAN, Section.MACHINE,
        help="Only while something runs or may be begun; then it may sleep again.",
    ),
    Field(
        "command_before_window", "Command before a window", "", Kind.TEXT, Section.MACHINE,
        longest=MOST_COMMAND_CHARACTERS, check=check_command,
        help="Run once in a window, as soon as it is open and has work: to wake another machine, for example. "
        "It runs as the user that FORLLM runs as, without a shell, and only where FORLLM was started with "
        "--allow-commands.",
    ),
    Field(
        "command_after_window", "Command after a window", "", Kind.TEXT, Section.MACHINE,
        longest=MOST_COMMAND_CHARACTERS, check=check_command,
        help="Run once after a window with work, when that is done or the window has closed and nothing runs any more. "
        "Needs --allow-commands, too.",
    ),
    Field(
        "meter_command", "Command that tells the watts", "", Kind.TEXT, Section.MACHINE,
        longest=MOST_COMMAND_CHARACTERS, check=check_command,
        help="Prints what the whole machine draws, as a smart plug knows it. Run every few seconds while models work; "
        "needs --allow-commands. "
        "Empty: the processor's and the graphics cards' own counters, where they can be read.",
    ),
    Field(
        "estimated_watts", "Power of the machine at work", None, Kind.NUMBER, Section.MACHINE,
        is_optional=True, minimum=0, maximum=20_000, unit="watts",
        help="What energy is estimated from where it cannot be measured. Empty: no estimate.",
    ),
    Field(
        "price_per_kilowatt_hour", "Price of a kilowatt-hour", None, Kind.NUMBER, Section.MACHINE,
        is_optional=True, minimum=0, maximum=1_000_000,
        help="Gives the cost of a reply. Empty: no costs are shown.",
    ),
    Field(
        "currency", "Currency", "€", Kind.TEXT, Section.MACHINE, longest=8,
        help="Shown with costs.",
    ),
    Field(
        "attachment_megabytes", "Largest file of a post", 20, Kind.INTEGER, Section.FILES,
        minimum=1, maximum=100, unit="MB",
        help="A larger file is not attached.",
    ),
    Field(
        "attachments_per_post", "Most files of a post", 20, Kind.INTEGER, Section.FILES, minimum=1, maximum=100,
        help="More than so many are not attached to one post.",
    ),
    Field(
        "attachments_total_megabytes", "Room for all files", 2_000, Kind.INTEGER, Section.FILES,
        minimum=1, maximum=1_000_000, unit="MB",
        help="Of all posts together; the same file attached twice counts once. They lie in the database, so a backup "
        "has them and grows with them.",
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
        "theme", "Colours", "auto", Kind.CHOICE, Section.READING,
        choices=("auto", "light", "dark", "contrast", "soft", "own"),
        choice_labels=("as the system", "light", "dark", "high contrast", "soft", "your own"),
        help="High contrast and soft are light or dark as the system is. Your own is made on the page Theme.",
    ),
    Field(
        "density", "Spacing", "comfortable", Kind.CHOICE, Section.READING, choices=("comfortable", "compact"),
        help="compact shows more on a screen.",
    ),
    Field(
        "text_size", "Size of text", "normal", Kind.CHOICE, Section.READING,
        choices=("small", "normal", "large", "larger", "largest"),
        help="Enlarges everything alike. normal is the size that the browser is set to.",
    ),
    Field(
        "has_keys", "Single keys do things", True, Kind.BOOLEAN, Section.READING,
        help="j and k go from post to post, r replies, ? shows them all. Never while you type in a field. "
        "Switch them off when they get in the way of speech input or another tool.",
    ),
    Field(
        "thread_view", "Topics are read as", "tree", Kind.CHOICE, Section.READING, choices=("tree", "flat"),
        choice_labels=("a tree: replies below what they answer", "flat: in the order they were written"),
        help="A topic can be switched by itself, and remembers it.",
    ),
    Field(
        "shows_link_warning", "Ask before following a model's link", True, Kind.BOOLEAN, Section.READING,
        help="A link written by a model is shown with its full address before it is opened.",
    ),
)  # fmt: skip

FIELDS_BY_NAME: dict[str, Field] = {field.name: field for field in FIELDS}
