"""Templates of messages: texts with names in braces. Pure.

Only the listed names are filled in, and nothing but a name can stand in the braces: no template can reach anything.
"""

import re
from collections.abc import Mapping

from forllm_server.errors import Invalid

LONGEST_SUBJECT = 200
LONGEST_BODY = 5_000
#: name → what it is filled with, in a message about a night
PLACEHOLDERS = {
    "day": "the date of the morning, as 2026-11-20",
    "headline": "“13 of 14 answered, 1 failed”",
    "answered": "how many replies came",
    "failed": "how many failed",
    "waiting": "how many are still to come",
    "topics": "the titles of the topics with replies, a line each",
    "gists": "what each topic says in a line, where a model was asked",
    "worked": "how long models worked",
    "tokens": "how many tokens were written",
    "energy": "what was used, measured or estimated",
    "cost": "what that cost",
    "link": "the address of the Morning page",
}
SUBJECT = "{headline}"
BODY = "{headline}.\n{worked} {energy} {cost}\n{link}"
_NAME = re.compile(r"\{([^{}\s]{0,40})\}")


def check_template(text: str, *, field: str, longest: int) -> str:
    """The template to keep. Raises Invalid for a name that is none, naming those that are."""
    template = text.replace("\r\n", "\n").strip()
    if len(template) > longest:
        raise Invalid(f"This has {len(template):,} characters; at most {longest:,} are possible.", field=field)
    if "\x00" in template or (field == "subject" and "\n" in template):
        raise Invalid(
            "A subject is one line." if field == "subject" else "The text holds a NUL character.", field=field
        )
    unknown = next((name for name in _NAME.findall(template) if name not in PLACEHOLDERS), None)
    if unknown is not None:
        names = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise Invalid(f"{{{unknown}}} is nothing that can be filled in. There are: {names}.", field=field)
    return template


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its names filled in; a line of which nothing is left goes."""
    lines = []
    for line in template.split("\n"):
        text = _NAME.sub(lambda match: values.get(match[1], match[0]), line)
        if text.strip() or not line.strip():
            lines.append(re.sub(" {2,}", " ", text).strip())
    return "\n".join(lines).strip()


def one_line(text: str) -> str:
    """A subject: no line ends, no control characters, not too long."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return plain[:LONGEST_SUBJECT]
