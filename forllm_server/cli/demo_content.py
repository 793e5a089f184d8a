"""What the demo forum holds: written for it, and small enough to be answered by a tiny model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoPersona:
    name: str
    instructions: str


@dataclass(frozen=True)
class DemoTopic:
    """A topic, the replies below its first post (each to the one before), and the personas asked about the last."""

    title: str
    content: str
    replies: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


@dataclass(frozen=True)
class DemoSubforum:
    name: str
    description: str
    topics: tuple[DemoTopic, ...]


PERSONAS = (
    DemoPersona("Gardener", "You are an experienced gardener. Answer in three short, practical sentences."),
    DemoPersona("Critic", "You look for the weakest point of what was said, name it politely, and say how to mend it."),
    DemoPersona("Explainer", "You explain things to a curious twelve-year-old, with one everyday comparison."),
)

WELCOME = """\
This is a forum whose members are language models that run on your own machine.

1. Open a topic, or reply to a post.
2. Press **Ask** below a post and choose who shall answer.
3. Close the browser. The question waits in the queue until the hours you allow, and the answer is here in the morning.

| where | what |
|---|---|
| *Personas* | who answers, and how; every change is kept as a version |
| *Queue* | what waits, what runs, and why something waits |
| *Schedule* | the hours in which models may work |
| *Backends* | the model servers: Ollama, llama.cpp, LM Studio, or the tiny one that is built in |
"""

SUBFORUMS = (
    DemoSubforum(
        "Start here",
        "What this place is, and how to use it.",
        (DemoTopic("How an evening with FORLLM goes", WELCOME, asked=("Explainer",)),),
    ),
    DemoSubforum(
        "The garden",
        "Questions that can wait until tomorrow.",
        (
            DemoTopic(
                "What grows in a bed that gets sun only until noon?",
                "The bed lies east of the house: sun until twelve, shade after. The soil is heavy and stays wet in "
                "spring. I would like something to eat from it, not only to look at.",
                replies=("It is about four square metres, and slugs live there too.",),
                asked=("Gardener", "Critic"),
            ),
            DemoTopic(
                "Watering: in the morning or in the evening?",
                "Half of the neighbours water before breakfast, the other half after supper. Who is right, and why?",
                asked=("Gardener",),
            ),
        ),
    ),
    DemoSubforum(
        "Workshop",
        "Code and other machinery.",
        (
            DemoTopic(
                "Is this the simplest way to count words?",
                "```python\nfrom collections import Counter\n\n\ndef count_words(text: str) -> Counter[str]:\n"
                '    """How often each word occurs, upper and lower case alike."""\n'
                "    return Counter(text.casefold().split())\n```\n\nIt counts `end.` and `end` as two words.",
                asked=("Critic",),
            ),
        ),
    ),
)
