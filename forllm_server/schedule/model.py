"""Windows and exceptions as they are stored: the pure ones with a number and an owner."""

from dataclasses import dataclass
from datetime import datetime

from forllm_server.schedule.windows import DAYS, DateException, Window


@dataclass(frozen=True, kw_only=True)
class ScheduleWindow(Window):
    """A row of the schedule."""

    id: int
    owner_id: int
    created_at: datetime

    @property
    def day_list(self) -> list[str]:
        """The days in the order of the week."""
        return [day for day in DAYS if day in self.days]


@dataclass(frozen=True, kw_only=True)
class ScheduleException(DateException):
    """A date that differs, with the words its owner gave it."""

    id: int
    owner_id: int
    note: str
    created_at: datetime
