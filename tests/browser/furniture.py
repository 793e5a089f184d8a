"""A forum that has everything in it which makes pages hard to draw."""

import time
from dataclasses import dataclass

from tests.support.browser import Forum
from tests.support.processes import wait_for

DEPTH = 40
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

HARSH = f"""\
A word of three hundred letters: {"Donaudampfschiff" * 19}

| {" | ".join(f"column {number}" for number in range(20))} |
|{"---|" * 20}
| {" | ".join(f"a value of some length {number}" for number in range(20))} |

```python
{"print('a line that does not end', " * 12})
```

Inline `{"code_without_a_space_" * 12}` and [a link](https://example.org/{"path/" * 60}),
https://example.org/{"x" * 200}

$$\\sum_{{k=0}}^n a_k$$

> > > > > > > > > > deep in quotations

1. one
   - two
     - three
       - four

![a picture](https://example.org/picture.png)
"""
TYPICAL = """\
# What I have

A *small* machine with `rsync` and:

```bash
rsync -a --delete /home/ /mnt/backup/home/
```

| day | copied |
|---|---|
| Monday | 12 GB |
| Tuesday | 3 GB |

- [x] it runs every night
- [ ] it was ever restored from
"""


@dataclass(frozen=True)
class Furnished:
    """Where things are."""

    subforum_id: int
    typical_id: int
    long_id: int
    deep_id: int
    harsh_id: int
    post_id: int
    edited_id: int
    reply_id: int
    deepest_id: int
    persona_id: int
    window_id: int
    waiting_id: int
    succeeded_id: int
    failed_id: int
    batch_id: int
    council_id: int
    debate_id: int
    council_topic_id: int
    summary_id: int
    experiment_id: int


def furnish(forum: Forum) -> Furnished:
    """Fill the forum through its API: threads of every shape, a full queue behind a closed window, trash, versions."""
    subforum_id = forum.subforum("Homelab", "Machines in cellars, and what they do at night.")
    forum.subforum("A subforum with a rather long name, longer than any list would like", "W" * 120)
    persona_id = _personas(forum, subforum_id)
    typical_id, post_id = forum.topic(subforum_id, "Is a mirror a backup?", TYPICAL)
    reply_id = forum.answered(post_id)
    edited_id = forum.reply(reply_id, "I had not thought of that.")
    forum.api("PATCH", f"posts/{edited_id}", {"content": "I had thought of that.", "expected_version": 1})
    for name in ("smart values.txt", "A plan with a name that is as long as those that people give to files (2).txt"):
        forum.api("POST", f"posts/{edited_id}/attachments", {"name": name, "content": "bm90ZXM="})
    gone_id = forum.reply(post_id, "Said too soon")
    forum.reply(gone_id, "An answer to what is gone")
    forum.api("DELETE", f"posts/{gone_id}")
    harsh_id, harsh_post_id = forum.topic(subforum_id, "Everything_that_is_too_wide_" * 5, HARSH)
    forum.reply(harsh_post_id, HARSH)
    long_id, long_post_id = forum.topic(subforum_id, "A long evening")
    for number in range(70):
        forum.reply(long_post_id, f"Remark {number}, and why it matters.")
    deep_id, deepest_id = forum.topic(subforum_id, "Down and down")
    for depth in range(1, DEPTH + 1):
        deepest_id = forum.reply(deepest_id, f"Step {depth} of the stairs, with a few words to read on it.")
    council_topic_id, council_id = _council(forum, subforum_id)
    summary = forum.api("POST", f"posts/{deepest_id}/summaries", {"scope": "way", "run_now": True})
    forum.wait_for_status(summary["llm_request_id"], "succeeded")
    forum.api("PATCH", f"summaries/{summary['id']}", {"content": "Down the stairs, *step* by step."})
    too_long_id = forum.topic(subforum_id, "Too much for this model", "word " * 6000)[1]
    failed = forum.wait_for_status(forum.ask(too_long_id), "failed")
    _hook(forum)
    window_id = close_window(forum)
    # What a worker knows of the hours is at most a second old.
    time.sleep(1.2)
    waiting_id = forum.ask(post_id, persona_id=persona_id)
    debate_id = _debate(forum, deepest_id)
    forum.ask(deepest_id)
    for number in range(12):
        forum.ask(forum.topic(subforum_id, f"Question {number} for the night", f"Why {number}?")[1])
    forum.api("POST", f"llm-requests/{forum.ask(edited_id)}/cancellation")
    done = forum.api("GET", "llm-requests?status=succeeded")["items"]
    succeeded = next(each for each in done if each["kind"] == "reply")
    return Furnished(
        subforum_id, typical_id, long_id, deep_id, harsh_id, post_id, edited_id, reply_id, deepest_id, persona_id,
        window_id, waiting_id, int(succeeded["id"]), int(failed["id"]), _batch(forum, subforum_id, persona_id),
        council_id, debate_id, council_topic_id, int(summary["id"]),
        _experiment(forum, persona_id),
    )  # fmt: skip


def close_window(forum: Forum) -> int:
    """Let models work only in an hour that is half a day away; the window's id."""
    clock = forum.api("GET", "schedule/status")["now"][11:16]
    start = (int(clock[:2]) * 60 + int(clock[3:]) + 720) % 1440
    window = {"days": DAYS, "start_minute": start, "end_minute": (start + 60) % 1440, "timezone": "UTC"}
    return int(forum.api("POST", "schedule/windows", window)["id"])


def _council(forum: Forum, subforum_id: int) -> tuple[int, int]:
    """A topic with a council that has answered, and personas that answer there by themselves; the ids of both."""
    topic_id, post_id = forum.topic(subforum_id, "What would a council say?")
    names = ("Gardener", "A_persona_with_a_name_that_does_not_end", "Cook")
    ids = [forum.api("POST", "personas", {"name": name, "instructions": "Answer."})["id"] for name in names]
    seats = [{"persona_id": each} for each in ids]
    asked = {"kind": "council", "seats": seats, "closer": seats[0], "is_run_now": True}
    council_id = int(forum.api("POST", f"posts/{post_id}/discussions", asked)["id"])
    path = f"discussions/{council_id}"
    wait_for(lambda: forum.api("GET", path)["ended_at"], "the council's answer", forum.process.words)
    forum.api("PUT", f"topics/{topic_id}/automatic-replies", {"persona_ids": ids, "hours": 5})
    return topic_id, council_id


def _debate(forum: Forum, post_id: int) -> int:
    """A debate that waits for its hours."""
    seats = [{"persona_id": 1, "role": "for"}, {"persona_id": 1, "role": "against"}]
    asked = {"kind": "debate", "seats": seats, "motion": "Stairs lead up. " * 10, "max_tokens": 900}
    return int(forum.api("POST", f"posts/{post_id}/discussions", asked)["id"])


def _batch(forum: Forum, subforum_id: int, persona_id: int) -> int:
    table = {"text": f"town,why\nGraz,the river\n{'Llanfair' * 30},the name\n", "format": "csv"}
    asked = {"template": "Why {{town}}? For {{why}}?", "persona_ids": [1, persona_id], "repeats": 2}
    checks = [{"kind": "json", "value": "town:string"}, {"kind": "matches", "value": "^[A-Z]"}]
    judged = {"judge_persona_id": persona_id, "rubric": "Names the town.\nIs one sentence."}
    batch = {"title": "Towns to see", "subforum_id": subforum_id, "checks": checks, **table, **asked, **judged}
    return int(forum.api("POST", "batches", batch)["id"])


def _experiment(forum: Forum, persona_id: int) -> int:
    version_id = forum.api("GET", f"personas/{persona_id}")["version_id"]
    made = forum.api("POST", "experiments", {"is_everything": True, "persona_version_id": version_id})
    return int(forum.api("POST", f"experiments/{made['id']}/start", {})["id"])


def _hook(forum: Forum) -> None:
    """One whose calls fail, with a long reason."""
    url = f"http://127.0.0.1:1/{'hooks-of-mine/' * 20}"
    events = ["topic.opened", "night.over"]
    made = forum.api("POST", "hooks", {"kind": "webhook", "name": "Far", "events": events, "url": url})
    forum.api("POST", f"hooks/{made['id']}/tests")


def _personas(forum: Forum, subforum_id: int) -> int:
    made = forum.api("POST", "personas", {"name": "Skeptic", "instructions": "Doubt everything.\n\nBe friendly."})
    changed = {"name": "Skeptic", "instructions": "Doubt one thing.\n\nBe friendly.", "note": "One at a time."}
    forum.api("PUT", f"personas/{made['id']}", changed | {"parameters": {"temperature": 0.4, "stop": ["END"]}})
    forum.api("PUT", f"subforums/{subforum_id}/personas/{made['id']}", {"is_default": False})
    return int(made["id"])
