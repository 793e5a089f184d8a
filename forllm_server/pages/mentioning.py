"""What posting a text asks: those named in the form and those called in the text, each once."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from forllm_server.clock import now
from forllm_server.forum.model import Post
from forllm_server.jobs.automatic import ask_automatic
from forllm_server.jobs.mentioning import Mentioned, ask_all, find_mentioned
from forllm_server.pages.asking import Wish, asked_words
from forllm_server.pages.words import counted
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form
from forllm_server.web.fragments import notice


@dataclass(frozen=True)
class Told:
    """What is said of an act of asking; empty when nobody was called. ``has_notes``: some calls reached nobody."""

    words: str
    has_notes: bool


def ask_about(connection: Connection, form: Form, post: Post, *, earlier_text: str = "", is_new: bool = False) -> Told:
    """Queue the replies that the form and the text ask for.

    ``is_new``: it was just posted, and those are asked, too, who answer there by themselves.
    """
    mentioned = find_mentioned(connection, post.content, earlier_text=earlier_text)
    wish = wish_of(form, mentioned)
    asked = ask_all(
        connection,
        wish.persona_ids,
        owner_id=current_user_id(),
        post_id=post.id,
        now=now(),
        model_id=wish.model_id,
        is_run_now=wish.is_run_now,
        chains=mentioned.chains,
    )
    already = [each.request.persona_id for each in asked]
    automatic = ask_automatic(connection, post, now(), already=already) if is_new else []
    by_itself = [f"{counted(len(automatic), 'automatic reply', 'automatic replies')} asked for."] if automatic else []
    words = " ".join([*([asked_words(asked)] if asked else []), *by_itself, *mentioned.notes])
    return Told(words, bool(mentioned.notes))


def wish_of(form: Form, mentioned: Mentioned) -> Wish:
    """Whom form and text ask together. Who is called takes the place of whoever would answer by the rules."""
    wish = Wish.of_form(form) if form.flag("is_asking") else Wish(persona_ids=())
    named = [each for each in wish.persona_ids if each is not None or not (mentioned.persona_ids or mentioned.chains)]
    return replace(wish, persona_ids=tuple(dict.fromkeys([*named, *mentioned.persona_ids])))


def tell_asked(told: Told) -> None:
    """After the commit: let the worker look, and tell what was asked."""
    if told.words:
        current().wake_worker()
        notice(told.words, kind="done" if told.has_notes else "asked")
