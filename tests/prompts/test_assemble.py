from forllm_server.prompts.assemble import PERSONA_FIRST, THREAD_FIRST, Assembled, assemble
from forllm_server.prompts.thread import ThreadPost, Turn, transcript_of, turns_of
from forllm_server.prompts.tokens import DEFAULT_CHARACTERS_PER_TOKEN, TokenCounter

SKEPTIC, TEACHER = 2, 3


def by_words(text: str) -> int:
    """A tokenizer whose counts a reader can check."""
    return len(text.split())


def post(number: int, text: str, *, persona_id: int | None = None, name: str = "You") -> ThreadPost:
    return ThreadPost(number, name, persona_id, text)


def laid_out(turns: tuple[Turn, ...], *, context: int = 4096, reply: int = 100) -> Assembled:
    return assemble(
        instructions="Doubt everything.",
        turns=turns,
        counter=TokenCounter(tokenizer=by_words),
        context_tokens=context,
        context_source="known",
        reply_tokens=reply,
    )


def roles(prompt: Assembled) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in prompt.messages]


def test_a_thread_becomes_messages_with_roles_the_persona_first_and_the_post_last() -> None:
    thread = [post(1, "Which?"), post(2, "ZFS.", persona_id=SKEPTIC, name="Skeptic"), post(3, "Why?")]
    prompt = laid_out(turns_of(thread, persona_id=SKEPTIC, title="Disks"))
    assert roles(prompt) == [
        ("system", "Doubt everything."),
        ("user", "# Disks\n\nWhich?"),
        ("assistant", "ZFS."),
        ("user", "Why?"),
    ]
    assert prompt.breakdown.is_exact
    assert prompt.breakdown.is_complete


def test_other_voices_are_named_so_that_the_model_can_tell_them_apart() -> None:
    thread = [
        post(1, "Which?"),
        post(2, "ZFS.", persona_id=TEACHER, name="Teacher"),
        post(3, "Is that so?"),
    ]
    prompt = laid_out(turns_of(thread, persona_id=SKEPTIC, title=""))
    assert roles(prompt)[1:] == [
        ("user", "You wrote:\n\nWhich?\n\nTeacher wrote:\n\nZFS.\n\nYou wrote:\n\nIs that so?"),
    ]


def test_a_persona_asked_about_its_own_post_is_spoken_to() -> None:
    thread = [post(1, "Which?"), post(2, "ZFS.", persona_id=SKEPTIC, name="Skeptic")]
    assert [turn.role for turn in turns_of(thread, persona_id=SKEPTIC, title="")] == ["user", "user"]


def test_deleted_posts_are_not_shown_to_a_model() -> None:
    thread = [post(1, "Which?"), ThreadPost(2, "You", None, "secret", is_deleted=True), post(3, "Why?")]
    assert [turn.post_id for turn in turns_of(thread, persona_id=SKEPTIC, title="")] == [1, 3]


def test_what_was_cut_out_is_said_to_the_model_and_in_the_account() -> None:
    long = "word " * 300
    thread = [post(1, "Which?"), *(post(number, long) for number in range(2, 6)), post(6, "And now?")]
    prompt = laid_out(turns_of(thread, persona_id=SKEPTIC, title=""), context=900)
    assert prompt.breakdown.omitted_post_ids == (2, 3)
    assert not prompt.breakdown.is_complete
    assert "[2 earlier posts were left out here to fit.]" in prompt.messages[-1].content
    assert prompt.messages[-1].content.endswith("And now?")


def test_the_account_adds_up() -> None:
    thread = [post(1, "one two three"), post(2, "four five")]
    breakdown = laid_out(turns_of(thread, persona_id=SKEPTIC, title="")).breakdown
    assert breakdown.persona_tokens + breakdown.ancestor_tokens + breakdown.post_tokens == breakdown.prompt_tokens
    assert breakdown.as_dict()["prompt_tokens"] == breakdown.prompt_tokens


def test_consecutive_questions_in_a_thread_share_all_but_the_end_of_the_prompt() -> None:
    thread = [post(1, "Which?"), post(2, "ZFS.", persona_id=SKEPTIC, name="Skeptic"), post(3, "Why?")]
    longer = [*thread, post(4, "Because.", persona_id=SKEPTIC, name="Skeptic"), post(5, "Sure?")]
    first, second = (roles(laid_out(turns_of(each, persona_id=SKEPTIC, title="Disks"))) for each in (thread, longer))
    assert second[: len(first)] == first


def test_counts_without_a_tokenizer_are_marked_as_estimates() -> None:
    counter = TokenCounter()
    assert counter.count("x" * 33) == 33 / DEFAULT_CHARACTERS_PER_TOKEN
    assert not counter.is_exact
    failing = TokenCounter(4.0, tokenizer=lambda text: None)
    assert failing.count("x" * 8) == 2
    assert not failing.is_exact


def shared_share(first: Assembled, second: Assembled) -> float:
    """How much of the shorter prompt is the beginning of the other, by characters, as a server's cache sees it."""
    texts = ["".join(f"<{message.role}>{message.content}" for message in prompt.messages) for prompt in (first, second)]
    shared = next((at for at, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1]), min(map(len, texts)))
    return shared / min(map(len, texts))


def for_persona(name: str, instructions: str, *, layout: str) -> Assembled:
    thread = [post(1, "word " * 200), post(2, "ZFS. " * 50, persona_id=SKEPTIC, name="Skeptic"), post(3, "Why? " * 50)]
    is_transcript = layout == THREAD_FIRST
    persona_id = SKEPTIC if name == "Skeptic" else TEACHER
    turns = (
        transcript_of(thread, title="Disks")
        if is_transcript
        else turns_of(thread, persona_id=persona_id, title="Disks")
    )
    return assemble(
        instructions=instructions,
        turns=turns,
        counter=TokenCounter(tokenizer=by_words),
        context_tokens=4096,
        context_source="known",
        reply_tokens=100,
        layout=layout,
        persona_name=name,
    )


def test_personas_asked_about_one_post_share_the_thread_when_it_comes_first() -> None:
    prompts = {
        layout: [for_persona(*each, layout=layout) for each in (("Skeptic", "Doubt it."), ("Teacher", "Explain it."))]
        for layout in (PERSONA_FIRST, THREAD_FIRST)
    }
    assert shared_share(*prompts[THREAD_FIRST]) > 0.9
    assert shared_share(*prompts[PERSONA_FIRST]) < 0.1


def test_thread_first_tells_who_speaks_and_ends_with_the_role() -> None:
    prompt = for_persona("Skeptic", "Doubt it.", layout=THREAD_FIRST)
    assert prompt.layout == THREAD_FIRST
    text = prompt.messages[-1].content
    assert text.index("You wrote:") < text.index("Skeptic wrote:") < text.index("You are Skeptic. Doubt it.")
