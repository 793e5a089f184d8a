"""Hooks: what calls other programs, the form of each, a test, and the log of its calls with every attempt."""

from typing import Any

from flask import Blueprint, Response, request
from markupsafe import Markup

from forllm_server.clock import now
from forllm_server.hooks import call_store, hook_store
from forllm_server.hooks.keeping import DEFAULTS, add_hook, ask_test, call_again, change_hook, delete_hook
from forllm_server.hooks.model import EVENTS, Call, CallStatus, HookKind
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again, was_entered
from forllm_server.web.fragments import notice, page, see_other
from forllm_server.web.paging import decode_cursor, encode_cursor

blueprint = Blueprint("hook", __name__)

KIND_WORDS = {
    HookKind.COMMAND: "Command: a program of this machine",
    HookKind.WEBHOOK: "Webhook: JSON to an address",
}
_SHOWN = 30
_NUMBERS = ("timeout_seconds", "most_attempts", "most_repeats")


@blueprint.get("/hooks")
def show() -> Response:
    """All hooks, and what they were called for lately."""
    with current().database.read() as connection:
        hooks = hook_store.list_hooks(connection)
        waiting = call_store.count_waiting(connection)
        calls = call_store.list_calls(connection, limit=_SHOWN)
    names = {hook.id: hook.name for hook in hooks}
    return page("hook/list.html", hooks=hooks, waiting=waiting, calls=calls, names=names, kinds=KIND_WORDS)


@blueprint.get("/hooks/new")
def show_new() -> Response:
    """The form of a new hook; ``kind`` says of which."""
    kind = Form(request.values.to_dict(flat=False)).choice("kind", list(HookKind), default=HookKind.COMMAND.value)
    return _form(HookKind(kind), None)


@blueprint.post("/hooks/new")
@shows_again(show_new)
def create() -> Response:
    """Add a hook."""
    form = Form.of_request()
    kind = HookKind(form.choice("kind", list(HookKind)))
    with current().database.transaction() as connection:
        hook = add_hook(
            connection,
            owner_id=current_user_id(),
            kind=kind,
            secret_key=current().secret_key,
            now=now(),
            secret=form.text("secret").strip() or None,
            **_values(form, kind),
        )
    notice("The hook was added. Try it to see that it works.")
    return see_other(f"/hooks/{hook.id}")


@blueprint.get("/hooks/<int:hook_id>")
def show_hook(hook_id: int) -> Response:
    """A hook: its form, its test, its calls."""
    return _form(None, hook_id)


@blueprint.post("/hooks/<int:hook_id>")
@shows_again(show_hook)
def change(hook_id: int) -> Response:
    """Change a hook. An empty field for the key leaves the key as it is; a tick removes it."""
    form = Form.of_request()
    secret = form.text("secret").strip() or None
    with current().database.transaction() as connection:
        hook = hook_store.get_hook(connection, hook_id)
        change_hook(
            connection,
            hook_id,
            secret_key=current().secret_key,
            changes_secret=secret is not None or form.flag("removes_secret"),
            secret=secret,
            **_values(form, hook.kind),
        )
    notice("Saved.")
    return see_other(f"/hooks/{hook_id}")


@blueprint.post("/hooks/<int:hook_id>/test")
def test(hook_id: int) -> Response:
    """Put a test in line; it is made within seconds, and listed with how it went."""
    with current().database.transaction() as connection:
        call = ask_test(connection, hook_id, now())
    return see_other(f"/hooks/calls/{call.id}")


@blueprint.get("/hooks/<int:hook_id>/delete")
def show_delete(hook_id: int) -> Response:
    """Ask before a hook is deleted."""
    with current().database.read() as connection:
        hook = hook_store.get_hook(connection, hook_id)
        waiting = call_store.count_waiting(connection).get(hook_id, 0)
    return page("hook/delete.html", hook=hook, waiting=waiting)


@blueprint.post("/hooks/<int:hook_id>/delete")
def delete(hook_id: int) -> Response:
    """Delete a hook with the log of its calls."""
    with current().database.transaction() as connection:
        delete_hook(connection, hook_id)
    notice("The hook was deleted.")
    return see_other("/hooks")


@blueprint.get("/hooks/calls/<int:call_id>")
def show_call(call_id: int) -> Response:
    """A call with every attempt; while it is to be made, the page asks again by itself."""
    with current().database.read() as connection:
        call = call_store.get_call(connection, call_id)
        hook = hook_store.get_hook(connection, call.hook_id)
        attempts = call_store.list_attempts(connection, call_id)
    # While a call is under way, its hook is taken until the same moment.
    is_due = call.due_at is not None and (call.due_at <= now() or call.due_at == hook.busy_until)
    is_moving = call.status is CallStatus.WAITING and is_due
    return page(
        "hook/call.html",
        block="log",
        call=call,
        hook=hook,
        attempts=attempts,
        is_moving=is_moving,
        may_run_commands=current().config.allow_commands,
    )


@blueprint.post("/hooks/calls/<int:call_id>/retry")
def retry(call_id: int) -> Response:
    """Make a call that was given up after all."""
    with current().database.transaction() as connection:
        call_again(connection, call_id, now())
    return see_other(f"/hooks/calls/{call_id}")


@blueprint.app_template_global()
def call_words(call: Call) -> Markup:
    """How a call stands, marked by how much it matters."""
    kind, words = {
        CallStatus.DONE: ("state--good", "done"),
        CallStatus.WAITING: ("", "to be made" if not call.problem else "tried again"),
        CallStatus.FAILED: ("state--bad", "given up"),
        CallStatus.STOPPED: ("state--quiet", "not made"),
    }[call.status]
    return Markup('<span class="state {}">{}</span>').format(kind, words)


def _form(kind: HookKind | None, hook_id: int | None) -> Response:
    hook, calls, older = None, [], ""
    if hook_id is not None:
        after = decode_cursor(request.args.get("after"), int)
        with current().database.read() as connection:
            hook = hook_store.get_hook(connection, hook_id)
            calls = call_store.list_calls(
                connection, hook_id=hook_id, before_id=after[0] if after else None, limit=_SHOWN + 1
            )
        kind = hook.kind
        older = encode_cursor(calls[_SHOWN - 1].id) if len(calls) > _SHOWN else ""
    chosen = request.form.getlist("events") if was_entered() else list(hook.events) if hook else []
    return page(
        "hook/show.html",
        hook=hook,
        kind=kind,
        kinds=KIND_WORDS,
        events=EVENTS,
        chosen=chosen,
        usual=DEFAULTS,
        calls=calls[:_SHOWN],
        older=older,
        may_run_commands=current().config.allow_commands,
    )


def _values(form: Form, kind: HookKind) -> dict[str, Any]:
    """All but the key, as it was entered."""
    target: dict[str, Any] = {"command": form.text("command", longest=10_000)}
    if kind is HookKind.WEBHOOK:
        target = {"url": form.text("url", longest=2_100), "may_be_local": form.flag("may_be_local")}
    numbers = {name: form.integer(name, default=DEFAULTS[name]) for name in _NUMBERS}
    return (
        target
        | numbers
        | {
            "name": form.text("name", longest=1_000),
            "events": form.words("events"),
            "is_enabled": form.flag("is_enabled"),
        }
    )
