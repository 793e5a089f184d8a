"""With which context size a request has its model loaded, as SQL. Pure text; the rest of the queue puts it together.

Only for servers that load a model with the context that they are sent: there two requests of one model with different
contexts cost a load, as two models do. It is what ``jobs/prompting.py`` (``context_of``) asks such a server for: the
request's own wish, up to what the model was trained for, or else what the model is set to. What the server holds now
stands nowhere but in the requests themselves: it is what the last one was sent with.
"""

#: The kinds of backend (as catalog/model.py names them) that load a model with the context of the request.
LOADS_BY_CONTEXT = ("ollama",)
#: So many of a persona's last answers are looked at for what a server was sent last.
_ANSWERS_LOOKED_AT = 50
_NO_CONTEXT = "CAST(NULL AS BIGINT)"


def context_of(request: str, dialect: str) -> str:
    """The context in tokens that a row of ``llm_requests`` (by its name in the statement) is served with.

    0: nobody has said one, so all such requests have the same.
    """
    wished, trained = (
        _whole(f"{request}.parameters", "context_tokens", dialect),
        _whole("m.details", "trained_context_tokens", dialect),
    )
    own = f"coalesce(CASE WHEN {wished} > {trained} THEN {trained} ELSE {wished} END, m.context_tokens, 0)"
    return f"coalesce((SELECT {own} FROM models m WHERE m.id = {request}.model_id), 0)"


def context_where_it_loads(request: str, dialect: str) -> str:
    """The same where the backend of the request loads by it; null elsewhere."""
    return (
        f"(SELECT {context_of(request, dialect)} FROM backends b "
        f"WHERE b.id = {request}.backend_id AND {_loads_by_context('b')})"
    )


def no_context() -> str:
    """What stands in its place where it makes no difference."""
    return _NO_CONTEXT


def served_last(state: str, dialect: str) -> str:
    """The context that a backend's model is loaded with, for its row of ``backend_states``; null when nobody knows.

    By what runs there now, or else by the last answer of the persona that was served last.
    """
    running = (
        f"SELECT 0 AS place, {context_of('r', dialect)} AS context_tokens, r.started_at AS at FROM llm_requests r "
        f"WHERE r.status = 'running' AND r.backend_id = {state}.backend_id AND r.model_id = {state}.last_model_id"
    )
    persona = f"(SELECT v.persona_id FROM persona_versions v WHERE v.id = {state}.last_persona_version_id)"
    looked_at = (
        "SELECT r.parameters, r.backend_id, r.model_id, r.persona_version_id, r.finished_at FROM llm_requests r "
        f"WHERE r.persona_id = {persona} AND r.finished_at IS NOT NULL "
        f"ORDER BY r.finished_at DESC LIMIT {_ANSWERS_LOOKED_AT}"
    )
    finished = (
        f"SELECT 1, {context_of('f', dialect)}, f.finished_at FROM ({looked_at}) f "
        f"WHERE f.backend_id = {state}.backend_id AND f.model_id = {state}.last_model_id "
        f"AND f.persona_version_id = {state}.last_persona_version_id"
    )
    return f"(SELECT l.context_tokens FROM ({running} UNION ALL {finished}) l ORDER BY l.place, l.at DESC LIMIT 1)"


def served_last_where_it_loads(state: str, dialect: str) -> str:
    """The same where the backend loads by it; null elsewhere."""
    return (
        f"(SELECT {served_last(state, dialect)} FROM backends b "
        f"WHERE b.id = {state}.backend_id AND {_loads_by_context('b')})"
    )


def _loads_by_context(backend: str) -> str:
    kinds = ", ".join(f"'{kind}'" for kind in LOADS_BY_CONTEXT)
    return f"{backend}.kind IN ({kinds})"


def _whole(column: str, name: str, dialect: str) -> str:
    """A number in a JSON column; null where there is none."""
    if dialect == "sqlite":
        return f"nullif(CAST(json_extract({column}, '$.{name}') AS INTEGER), 0)"
    # A claim must not fail for one row that holds something else.
    word = f"({column} ->> '{name}')"
    return f"(CASE WHEN {word} ~ '^[0-9]{{1,9}}$' THEN CAST({word} AS BIGINT) END)"
