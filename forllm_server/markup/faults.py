"""What can go wrong while a text is rendered."""


class Unrenderable(Exception):
    """The text is shown as it was written. The reason completes the sentence "… because"."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


#: What the parsers for Markdown, formulas and code raise when a text meets a fault of theirs. Named one by one, so
#: that running out of memory, an interrupt or a wanted exit still passes through.
PARSER_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)
