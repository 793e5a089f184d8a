"""Forms: typed reading of what was entered, and showing it again, untouched, when it cannot be taken."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, ParamSpec

from flask import Flask, Response, g, make_response, request

from forllm_server.errors import Conflict, ForllmError, Invalid, NotFound, TooLarge, Unavailable
from forllm_server.web.errors import RETRY_AFTER_SECONDS, status_of

P = ParamSpec("P")

#: The longest text that one field takes, in characters, where the view names no other limit.
LONGEST_TEXT = 1_000_000


class Form:
    """The fields of a posted form. Every reader raises Invalid with the field's name and says what would be right."""

    def __init__(self, values: Mapping[str, list[str]]) -> None:
        self._values = values

    @classmethod
    def of_request(cls) -> "Form":
        """The form that came with the present request."""
        return cls(request.form.to_dict(flat=False))

    def text(self, name: str, *, longest: int = LONGEST_TEXT, is_required: bool = False) -> str:
        """The text of a field, with ``\\n`` at the ends of lines; empty when it is missing."""
        text = self._first(name).replace("\r\n", "\n").replace("\r", "\n")
        if "\0" in text:
            raise Invalid("The text holds a NUL character, which cannot be stored. Remove it.", field=name)
        if len(text) > longest:
            raise Invalid(f"This has {len(text):,} characters; at most {longest:,} are possible.", field=name)
        if is_required and not text.strip():
            raise Invalid("This cannot be empty.", field=name)
        return text

    def integer(self, name: str, *, least: int = 0, most: int = 2**31 - 1, default: int | None = None) -> int | None:
        """A whole number from ``least`` to ``most``; ``default`` when the field is missing or empty."""
        text = self._first(name).strip()
        if not text:
            return default
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and least <= int(text) <= most):
            raise Invalid(f"This must be a whole number from {least} to {most}.", field=name)
        return int(text)

    def number(self, name: str, *, least: float, most: float, default: float | None = None) -> float | None:
        """A number from ``least`` to ``most``; ``default`` when the field is missing or empty."""
        text = self._first(name).strip().replace(",", ".")
        if not text:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise Invalid(f"This must be a number from {least:g} to {most:g}.", field=name)
        return value

    def choice(self, name: str, options: Iterable[str], *, default: str | None = None) -> str:
        """One of ``options``; ``default`` when the field is missing or empty."""
        allowed = list(options)
        value = self._first(name) or default or ""
        if value not in allowed:
            raise Invalid("Choose one of: " + ", ".join(allowed) + ".", field=name)
        return value

    def flag(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self._first(name) not in ("", "0", "false", "off")

    def words(self, name: str) -> list[str]:
        """All values of a field that may come several times."""
        return [value for value in self._values.get(name, []) if value]

    def integers(self, name: str, *, least: int = 1, most: int = 2**31 - 1) -> list[int]:
        """All values of a field that may come several times, as whole numbers."""
        found = (Form({name: [word]}).integer(name, least=least, most=most) for word in self.words(name))
        return [value for value in found if value is not None]

    def has(self, name: str) -> bool:
        """Whether the field was sent at all."""
        return name in self._values

    def _first(self, name: str) -> str:
        values = self._values.get(name)
        return values[0] if values else ""


def shows_again(view: Callable[..., Any]) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """For a view that takes a form: when the form cannot be taken, show ``view`` (called with the same arguments)
    with all that was entered and the reason. See :func:`install` for what its templates are given."""

    def decorate(taking: Callable[P, Response]) -> Callable[P, Response]:
        @wraps(taking)
        def take(*args: P.args, **kwargs: P.kwargs) -> Response:
            try:
                return taking(*args, **kwargs)
            except (Invalid, Conflict, TooLarge, NotFound) as problem:
                # What is gone altogether has no form to show either; a choice that is gone has.
                if isinstance(problem, NotFound) and problem.field is None:
                    raise
                return _again(problem, *args, **kwargs)
            except Unavailable as problem:
                # Nothing could be saved (the disk is full, the database is locked), and what was typed is here alone.
                try:
                    response = _again(problem, *args, **kwargs)
                except Unavailable:
                    raise problem from None
                response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
                return response

        def _again(problem: ForllmError, *args: P.args, **kwargs: P.kwargs) -> Response:
            g.form_problem = problem
            response = make_response(view(*args, **kwargs))
            response.status_code = status_of(problem)
            return response

        return take

    return decorate


def install(app: Flask) -> None:
    """Give templates ``entered(name, default)``, ``problem_with(name)``, ``form_problem()`` and ``was_entered()``."""
    app.jinja_env.globals.update(
        entered=entered, problem_with=problem_with, form_problem=form_problem, was_entered=was_entered
    )


def entered(name: str, default: Any = "") -> Any:
    """What stands in a field: what was entered when a form is shown again, else ``default``."""
    return request.form.get(name, "") if was_entered() else default


def was_entered() -> bool:
    """Whether a form is being shown again: because it could not be taken, or as it was left."""
    return _problem() is not None or bool(g.get("form_is_kept", False))


def keep_entered() -> None:
    """The form that is shown next holds what this request brought, though nothing is wrong with it."""
    g.form_is_kept = True


def problem_with(name: str) -> str | None:
    """Why the field ``name`` could not be taken."""
    problem = _problem()
    return problem.message if problem is not None and problem.field == name else None


def form_problem() -> str | None:
    """Why the form could not be taken, whichever field it was."""
    problem = _problem()
    return problem.message if problem is not None else None


def _problem() -> ForllmError | None:
    problem: ForllmError | None = g.get("form_problem")
    return problem
