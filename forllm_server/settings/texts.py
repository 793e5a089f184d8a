"""What is written into settings that are a line of text: commands, and names of programs."""

from forllm_server.errors import Invalid
from forllm_server.machine.commands import MOST_CHARACTERS, parse_command

MOST_COMMAND_CHARACTERS = MOST_CHARACTERS


def check_command(text: str, name: str) -> None:
    """Raises Invalid, with ``field``, for what is no command; empty is none, and allowed."""
    if text:
        parse_command(text, field=name)


def program_names(text: str) -> tuple[str, ...]:
    """The names in a list with commas; ``*`` and ``?`` stand for any letters and any letter."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def check_programs(text: str, name: str) -> None:
    """Raises Invalid, with ``field``, for a name that would mean every program, or a whole path."""
    for program in program_names(text):
        if not any(letter.isalnum() for letter in program):
            raise Invalid(f"“{program[:40]}” would mean nearly every program. Give letters of its name.", field=name)
        if "/" in program or "\\" in program:
            raise Invalid(f"“{program[:40]}” is a path. Give the program's name alone.", field=name)


def check_lines(text: str, name: str) -> None:
    """Raises Invalid, with ``field``, for what no database holds."""
    if any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in text):
        raise Invalid("The text holds characters that cannot be stored. Remove them.", field=name)
