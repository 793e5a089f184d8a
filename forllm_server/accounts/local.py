"""The one user of a forum on loopback: no sign-in, but a row all the same, so that everything has an owner."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.accounts.model import User
from forllm_server.accounts.user_store import find_user, insert_user

LOCAL_USER_ID = 1
LOCAL_USER_NAME = "You"


def ensure_local_user(connection: Connection, now: datetime) -> User:
    """The local user, made when there is none yet. Safe to call at every start."""
    user = find_user(connection, LOCAL_USER_ID)
    return user or insert_user(connection, name=LOCAL_USER_NAME, now=now, user_id=LOCAL_USER_ID)
