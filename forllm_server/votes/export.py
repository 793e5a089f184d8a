"""The votes with a winner as JSON lines, as preference tuning takes them: prompt, chosen, rejected, and about both."""

import json
from collections.abc import Iterator

from forllm_server.db import Database
from forllm_server.votes import preference_store
from forllm_server.votes.model import Entrant, Preference

#: So many votes are read at once; between them the database is free.
_AT_ONCE = 200


def preference_lines(database: Database, user_id: int) -> Iterator[str]:
    """A person's preferences, one line each, as many as there are: never more than some hundred in memory."""
    after_id = 0
    while True:
        with database.read() as connection:
            found = preference_store.list_preferences(connection, user_id, after_id=after_id, limit=_AT_ONCE)
        for preference in found:
            yield json.dumps(_line(preference), ensure_ascii=False) + "\n"
        if len(found) < _AT_ONCE:
            return
        after_id = found[-1].comparison_id


def _line(preference: Preference) -> dict[str, object]:
    return {
        "prompt": preference.prompt,
        "chosen": preference.chosen,
        "rejected": preference.rejected,
        "meta": {
            "chosen": _reply(preference.chosen_post_id, preference.chosen_persona, preference.chosen_entrant),
            "rejected": _reply(preference.rejected_post_id, preference.rejected_persona, preference.rejected_entrant),
            "topic_id": preference.topic_id,
            "topic": preference.topic_title,
            "subforum": preference.subforum,
            "voted_at": preference.voted_at.isoformat(timespec="seconds"),
        },
    }


def _reply(post_id: int, persona: str, entrant: Entrant) -> dict[str, object]:
    names = {"persona": persona, "persona_version_id": entrant.version_id, "model": entrant.model_name}
    return {"post_id": post_id, **names}
