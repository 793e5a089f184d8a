"""A template with the columns of a table in it: ``Is {{town}} in {{country}}?``. Pure."""

import re
from collections.abc import Sequence

from forllm_server.errors import Invalid

_NAME = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


def names_in(template: str) -> tuple[str, ...]:
    """The columns that a template names, each once, in their order."""
    return tuple(dict.fromkeys(_NAME.findall(template)))


def check_template(template: str, columns: Sequence[str]) -> None:
    """Raises Invalid (template) for one that names no column, or one that is not there."""
    listed = ", ".join(f"{{{{{column}}}}}" for column in columns)
    names = names_in(template)
    if not names:
        raise Invalid(
            f"The template names no column, so every line would ask the same. There is {listed}.", field="template"
        )
    for name in names:
        if name not in columns:
            raise Invalid(
                f"The template names {{{{{name}}}}}, which is no column. There is {listed}.", field="template"
            )


def fill(template: str, columns: Sequence[str], values: Sequence[str]) -> str:
    """The template with a line's values. What looks like a column inside a value stays as it is."""
    by_name = dict(zip(columns, values, strict=True))
    return _NAME.sub(lambda found: by_name.get(found[1], found[0]), template)
