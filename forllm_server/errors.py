"""Domain errors. The docstring of a class is its message: a sentence that says what is wrong and what to do."""

from typing import Any


class ForllmError(Exception):
    """Something went wrong."""

    #: stable identifier for programs, e.g. ``not_found``; documented in docs/api.md
    code = "error"

    def __init__(self, message: str | None = None, *, field: str | None = None, **facts: Any) -> None:
        self.message = message or (self.__doc__ or "").strip()
        self.field = field
        self.facts = facts
        super().__init__(self.message)


class NotFound(ForllmError):
    """There is nothing here. It may have been deleted, or the address is mistyped."""

    code = "not_found"


class TopicMoved(NotFound):
    """This topic was merged into another one, where its posts are now."""

    #: ``facts``: ``post_id``, what was its first post, and ``topic_id``, where that is now
    code = "topic_moved"


class Invalid(ForllmError):
    """The input cannot be taken as it is."""

    code = "invalid"


class Conflict(ForllmError):
    """This clashes with something that is there already."""

    code = "conflict"


class NameTaken(Conflict):
    """That name is taken. Choose another one; upper and lower case count as the same."""

    code = "name_taken"


class TopicLocked(Conflict):
    """This topic is locked: it takes no new posts and no new questions. Unlock it first, or open another topic."""

    code = "topic_locked"


class NotAllowed(ForllmError):
    """This cannot be done here."""

    code = "not_allowed"


class TooLarge(ForllmError):
    """That is larger than FORLLM accepts."""

    code = "too_large"


class Unavailable(ForllmError):
    """The database is busy or cannot be written just now. Nothing was lost: try again in a moment."""

    code = "unavailable"


class ConfigurationError(ForllmError):
    """The configuration cannot be used."""

    code = "configuration"
