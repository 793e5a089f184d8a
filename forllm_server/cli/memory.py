"""The interpreter's search for garbage, set for a server: what was loaded at the start stays for good."""

import gc

#: New objects between two searches. A page makes some thousands that go by themselves; 700 is the interpreter's own
#: measure, with which every page is searched through several times.
_NEW_OBJECTS = 10_000


def settle() -> None:
    """Call it once everything is loaded: what is there is never looked at again, and searches are rarer."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)
