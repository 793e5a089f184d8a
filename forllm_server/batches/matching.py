"""Regular expressions of other people, matched in a process of their own that is ended when it takes too long.

Python's ``re`` has no limit of time, and some expressions take centuries on a short text.
"""

import json
import subprocess
import sys
from collections.abc import Sequence

#: for all texts that one process is given
TIMEOUT_SECONDS = 2.0
#: of a text; an answer that is longer is looked at so far
LOOKED_AT_CHARACTERS = 50_000
#: After so many texts on which an expression ran out of time, it is not tried on the rest.
MOST_TIMEOUTS = 2

_CHILD = """
import json, re, sys
pattern, texts = json.load(sys.stdin)
found = re.compile(pattern).search
for text in texts:
    sys.stdout.write("1" if found(text) else "0")
    sys.stdout.flush()
"""


def match_all(pattern: str, texts: Sequence[str]) -> list[bool | None]:
    """Whether ``pattern`` finds something in each of ``texts``; None where that took too long to say."""
    verdicts: list[bool | None] = []
    timeouts = 0
    while len(verdicts) < len(texts) and timeouts < MOST_TIMEOUTS:
        left = texts[len(verdicts) :]
        said = _run(pattern, left)
        verdicts += [answer == "1" for answer in said]
        if len(said) < len(left):
            verdicts.append(None)
            timeouts += 1
    return verdicts + [None] * (len(texts) - len(verdicts))


def _run(pattern: str, texts: Sequence[str]) -> str:
    """A digit for each text that was decided in time."""
    given = json.dumps([pattern, [text[:LOOKED_AT_CHARACTERS] for text in texts]])
    # -I -S: nothing of the user's environment, and a start of a few milliseconds.
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            return process.communicate(given, timeout=TIMEOUT_SECONDS)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0]
