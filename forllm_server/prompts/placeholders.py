"""What a persona's instructions may leave open until it is asked: ``Today is {{weekday}}, {{date}}.`` Pure."""

import re
from datetime import date

#: Placeholder → what stands there when it is not known, or not to be told. Anything else in braces stays as it is.
PLACEHOLDERS = {
    "date": "today",
    "weekday": "today",
    "persona": "this persona",
    "subforum": "this subforum",
    "topic": "this topic",
}
# Not the machine's language: instructions are the same wherever they are read.
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PLACEHOLDER = re.compile(r"\{\{\s*(" + "|".join(PLACEHOLDERS) + r")\s*\}\}")


def has_placeholder(instructions: str) -> bool:
    """Whether anything is to be filled in."""
    return _PLACEHOLDER.search(instructions) is not None


def fill_in(instructions: str, *, today: date, persona: str, subforum: str = "", topic: str = "") -> str:
    """The instructions as they are sent. What looks like a placeholder inside a name is not filled in again."""
    known = {
        "date": today.isoformat(),
        "weekday": _WEEKDAYS[today.weekday()],
        "persona": persona,
        "subforum": subforum,
        "topic": topic,
    }
    return _PLACEHOLDER.sub(lambda found: known[found[1]] or PLACEHOLDERS[found[1]], instructions)
