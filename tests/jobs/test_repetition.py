"""Loops are seen in real ones, and not in what rightly repeats itself."""

import pytest

from forllm_server.jobs.repetition import RepetitionGuard, find_loop

OPENING = (
    "ZFS checks every block against its checksum when it is read, and a scrub reads them all. On two disks it mends "
    "what is wrong on one of them from the other. Btrfs does the same, though its RAID 5 is not to be trusted.\n\n"
)
PARAGRAPH = (
    "It is important to note that the choice depends on your specific needs and requirements. If you need a reliable "
    "and scalable solution, you should consider using ZFS. If you need a simpler solution, consider Btrfs.\n\n"
)

LOOPS = {
    "a sentence": OPENING + "I hope this helps! Let me know if you have any questions. " * 30,
    "a word": OPENING + "very " * 300,
    "a letter": OPENING + "a" * 1_500,
    "a paragraph": OPENING + PARAGRAPH * 8,
    "an emoji": OPENING + "\N{SMILING FACE WITH OPEN MOUTH} thanks " * 150,
    "dialogue": OPENING + "User: Thanks!\nAssistant: You're welcome! Is there anything else?\n" * 20,
    "list of one item": OPENING + "- Use a reliable backup solution\n" * 40,
    "counting up": OPENING + "".join(f"{n}. The disk should be checked for errors regularly.\n" for n in range(1, 60)),
    "broken off inside the piece": OPENING + ("The answer is that there is no answer to it. " * 25)[:-17],
    "in Chinese": OPENING + "这个问题没有答案,因为没有答案。" * 80,
    "a table without end": OPENING + "| disk | state |\n| --- | --- |\n" + "| sda | good |\n" * 500,
    "code without end": OPENING + "```python\n" + "x = compute(x)\n" * 500,
    "dashes without end": OPENING + "-" * 6_000,
}


def numbers_table() -> str:
    rows = "".join(f"| {n} | {n * n} | {n % 7} |\n" for n in range(400))
    return "| n | square | rest |\n| ---: | ---: | ---: |\n" + rows


FINE = {
    "prose": OPENING * 3 + PARAGRAPH,
    "a chorus": (OPENING + "Row, row, row your boat, gently down the stream.\n" * 4) * 3,
    "a table of numbers": numbers_table(),
    "a table with equal cells": "| a | b |\n| --- | --- |\n" + "| yes | yes |\n" * 60,
    "a wide rule of a table": "| " + " | ".join(f"c{n}" for n in range(60)) + " |\n|" + " --- |" * 60 + "\n",
    "a matrix of zeros": "```python\nm = [\n" + "    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],\n" * 40 + "]\n```\n",
    "code": "```c\n" + "".join(f"    case {n}: return handle_{n}(argument);\n" for n in range(120)) + "```\n",
    "similar tests": "```python\n" + "def test():\n    assert run() == 0\n\n\n" * 40 + "```\n",
    "a list of primes": "The primes: " + ", ".join(str(n) for n in range(2, 900) if all(n % d for d in range(2, n))),
    "a times table": "".join(f"{a} times {b} is {a * b}. " for a in range(1, 20) for b in range(1, 11)),
    "a csv": "```\n" + "".join(f"2026-11-{n % 28 + 1:02},{n},0,0\n" for n in range(200)) + "```\n",
    "a drawing": "\n".join("+----------+          +----------+" for _ in range(60)),
    "a heading's rule": OPENING + "=" * 200 + "\n" + OPENING,
    "json": "{\n" + "".join(f'    "key{n}": null,\n' for n in range(200)) + "}\n",
    "a poem": "".join(f"And the {w} went on, and the rain came down.\n" for w in OPENING.split() * 2),
    "steps": "".join(f"Step {n}: {' '.join(OPENING.split()[n : n + 9])}.\n" for n in range(25)),
}


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_is_seen_while_it_comes_and_most_of_it_is_left_out(name: str) -> None:
    guard, text = RepetitionGuard(), LOOPS[name]
    for start in range(0, len(text), 7):
        loop = guard.feed(text[start : start + 7])
        if loop is not None:
            break
    else:
        pytest.fail("it was not seen")
    assert loop.times >= 4
    assert loop.kept_characters >= len(OPENING)
    assert loop.kept_characters < start


@pytest.mark.parametrize("name", FINE)
def test_what_rightly_repeats_itself_is_let_be_at_every_moment(name: str) -> None:
    guard, text = RepetitionGuard(), FINE[name]
    found = [guard.feed(text[start : start + 50]) for start in range(0, len(text), 50)]
    assert [loop for loop in found if loop] == []


def test_the_second_time_is_the_last_that_is_kept() -> None:
    sentence = "I hope that this helps you. "
    loop = find_loop(OPENING + sentence * 40)
    assert loop is not None
    assert (loop.times, len(loop.piece)) == (40, len(sentence))
    assert (OPENING + sentence * 40)[: loop.kept_characters].count("helps") == 2
