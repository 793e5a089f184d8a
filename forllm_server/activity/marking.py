"""A marking as a number, its moment in microseconds: so an address can name what is to be taken back. Pure."""

from datetime import UTC, datetime, timedelta

from forllm_server.errors import NotFound

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIT = timedelta(microseconds=1)


def number_of(marked_at: datetime) -> int:
    """The number of the marking that was made at that moment."""
    return (marked_at - _EPOCH) // _UNIT


def moment_of(number: int) -> datetime:
    """The moment of a marking; raises NotFound for a number that is no moment."""
    try:
        return _EPOCH + number * _UNIT
    except OverflowError as error:
        raise NotFound("There is no such marking.") from error
