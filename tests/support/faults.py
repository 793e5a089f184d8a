"""Every way a model server goes wrong, played on the wire, with the end state each must reach.

A client takes a fault's `play` as `Script(write=fault.play)`. `end` is what must come of it.
"""

from tests.support import failing_answers, odd_answers
from tests.support.faulting import FAULTS, SECRET, THOUGHT, End, Fault

__all__ = ["FAULTS", "SECRET", "THOUGHT", "End", "Fault", "failing_answers", "odd_answers"]
