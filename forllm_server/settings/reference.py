"""docs/settings.md, made from the table of settings."""

import json
from itertools import groupby

from forllm_server.settings.fields import FIELDS, Field, Kind

INTRODUCTION = """\
# Settings

Everything here is set on the page *Settings*, or with `PATCH /api/v1/settings`, and holds at once for every process
that works on the same data. Options of the process itself (address, folder, workers) are in the configuration file,
see the README.

This page is made from `forllm_server/settings/fields.py`; a test says when it is out of date.
"""


def settings_page() -> str:
    """The whole of docs/settings.md."""
    parts = [INTRODUCTION]
    for section, fields in groupby(FIELDS, key=lambda field: field.section):
        parts.append(f"## {section.value}\n")
        parts.append("| setting | name | values | default | |\n|---|---|---|---|---|")
        parts.append("\n".join(_row(field) for field in fields) + "\n")
    return "\n".join(parts)


def values_words(field: Field) -> str:
    """What the field takes, for people."""
    words = {
        Kind.BOOLEAN: "true, false",
        Kind.CHOICE: ", ".join(field.choices),
        Kind.TEXT: f"text of up to {field.longest:,} characters",
        Kind.TIMEZONE: "IANA name",
        Kind.MODEL: "id of a model",
        Kind.PERSONA: "id of a persona",
    }.get(field.kind, f"{field.minimum:,} to {field.maximum:,}" if field.minimum is not None else "number")
    unit = f" {field.unit}" if field.unit else ""
    return words + unit + (", or null" if field.is_optional else "")


def _row(field: Field) -> str:
    default = "empty" if field.default == "" else json.dumps(field.default, ensure_ascii=False).strip('"')
    return f"| {field.label} | `{field.name}` | {values_words(field)} | {default} | {field.help} |"
