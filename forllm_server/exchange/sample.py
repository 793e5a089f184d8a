"""A sample subforum: what a forum looks like with something in it, made and removed by one press. No reply is faked."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.errors import NotFound
from forllm_server.forum import subforum_store
from forllm_server.forum.subforums import add_subforum, delete_subforum
from forllm_server.forum.topics import open_topic
from forllm_server.hooks.telling import silence
from forllm_server.settings.settings_store import delete_setting, find_stamped, update_setting

#: Where it is remembered which subforum it is, beside the settings.
KEY = "sample_subforum_id"
NAME = "Sample"
DESCRIPTION = "Made to look at and to try things in. A button on Home removes it again."

EVENING = """\
A forum whose members are language models on your own machine. You write in the evening, they answer at night, \
you read in the morning.

1. **Write**: a subforum holds topics, a topic begins with a question.
2. **Ask**: press *Ask* below any post, or name a persona in it: `@Assistant`. Ask several at once, and compare.
3. **Leave**: the question waits in the *Queue* for the hours that the *Schedule* allows, and says when it will be done.

Nothing here was written by a model. Ask about the other topic, and the first reply will be.
"""
QUESTION = """\
I have an old laptop with 8 GB of memory, and it is on all night anyway.

- What are three useful things it could do for me while I sleep?
- Which of them would you begin with, and **why**?

| it has | it lacks |
|---|---|
| a quiet fan | a graphics card |
| 200 GB free | a second disk |
"""
TOPICS = (("How an evening goes", EVENING), ("What can an old laptop do at night?", QUESTION))


@silence()
def add_sample(connection: Connection, now: datetime) -> int:
    """Add the subforum with its topics; its id. When it is there already, nothing is added.

    Raises NameTaken when another subforum has its name.
    """
    if (present := find_sample(connection)) is not None:
        return present
    made = add_subforum(connection, owner_id=LOCAL_USER_ID, name=NAME, description=DESCRIPTION, now=now)
    for title, content in TOPICS:
        open_topic(connection, owner_id=LOCAL_USER_ID, subforum_id=made.id, title=title, content=content, now=now)
    update_setting(connection, KEY, made.id, now=now)
    return made.id


def find_sample(connection: Connection) -> int | None:
    """The sample's id; None when there is none, or it lies in the trash."""
    found = find_stamped(connection, KEY)
    if found is None or not isinstance(found[0], int):
        return None
    subforum = subforum_store.find_subforum(connection, found[0])
    return subforum.id if subforum is not None and subforum.deleted_at is None else None


def remove_sample(connection: Connection, now: datetime) -> None:
    """Put it into the trash, with whatever was written in it. Raises NotFound."""
    sample_id = find_sample(connection)
    if sample_id is None:
        raise NotFound("There is no sample. It may have been removed.")
    delete_subforum(connection, sample_id, now)
    delete_setting(connection, KEY)
