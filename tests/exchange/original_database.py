"""An original FORLLM's database, built from its schema (design facts only), to import from."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE users (user_id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE);
CREATE TABLE subforums (subforum_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE topics (topic_id INTEGER PRIMARY KEY AUTOINCREMENT, subforum_id INTEGER NOT NULL, user_id INTEGER,
    title TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE posts (post_id INTEGER PRIMARY KEY AUTOINCREMENT, topic_id INTEGER NOT NULL, user_id INTEGER,
    parent_post_id INTEGER, content TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    is_llm_response BOOLEAN DEFAULT FALSE, llm_model_id TEXT, llm_persona_id TEXT, tagged_personas_in_content TEXT);
CREATE TABLE llm_requests (request_id INTEGER PRIMARY KEY AUTOINCREMENT, post_id_to_respond_to INTEGER,
    requested_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, status TEXT NOT NULL DEFAULT 'pending', llm_model TEXT,
    llm_persona TEXT, processed_at TIMESTAMP, error_message TEXT, full_prompt_sent TEXT, request_type TEXT,
    request_params TEXT, requested_by_user_id INTEGER, parent_request_id INTEGER);
CREATE TABLE attachments (attachment_id INTEGER PRIMARY KEY AUTOINCREMENT, post_id INTEGER NOT NULL,
    filename TEXT NOT NULL, filepath TEXT NOT NULL, user_prompt TEXT, order_in_post INTEGER NOT NULL DEFAULT 0);
CREATE TABLE schedule (id INTEGER PRIMARY KEY AUTOINCREMENT, start_hour INTEGER NOT NULL, end_hour INTEGER NOT NULL,
    days_active TEXT NOT NULL DEFAULT 'Mon,Tue,Wed,Thu,Fri,Sat,Sun', enabled BOOLEAN NOT NULL DEFAULT TRUE);
CREATE TABLE settings (setting_key TEXT PRIMARY KEY, setting_value TEXT);
CREATE TABLE personas (persona_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
    prompt_instructions TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP,
    created_by_user INTEGER, version INTEGER DEFAULT 1, is_active BOOLEAN DEFAULT TRUE);
CREATE TABLE persona_versions (version_id INTEGER PRIMARY KEY AUTOINCREMENT, persona_id INTEGER NOT NULL,
    name TEXT NOT NULL, prompt_instructions TEXT NOT NULL, updated_at TIMESTAMP, updated_by_user INTEGER,
    version INTEGER NOT NULL);
CREATE TABLE subforum_personas (subforum_persona_id INTEGER PRIMARY KEY AUTOINCREMENT, subforum_id INTEGER NOT NULL,
    persona_id INTEGER NOT NULL, assigned_at TIMESTAMP, is_default_for_subforum BOOLEAN DEFAULT FALSE);
"""

HELPFUL = "You are a helpful assistant."
SCEPTIC = ("Doubt everything.", "Doubt everything, politely.")


class Original:
    """A database being filled; ``insert`` writes a row and gives its id."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path)) as connection:
            yield connection
            connection.commit()

    def insert(self, table: str, **values: Any) -> int:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with self.writing() as connection:
            done = connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
            return done.lastrowid or 0

    def execute(self, statement: str) -> None:
        with self.writing() as connection:
            connection.execute(statement)

    def post(self, topic_id: int, parent_id: int | None, content: str, created_at: str, **values: Any) -> int:
        return self.insert(
            "posts",
            topic_id=topic_id,
            user_id=1,
            parent_post_id=parent_id,
            content=content,
            created_at=created_at,
            **values,
        )


def make_original(path: Path) -> Original:
    """Two subforums, a thread that branches, a persona with two versions, requests in every state."""
    original = Original(path)
    with original.writing() as connection:
        connection.executescript(SCHEMA)
    original.insert("users", user_id=1, username="TestUser")
    _add_personas(original)
    original.insert("subforums", name="Homelab")
    original.insert("subforums", name="Reading")
    original.insert("subforum_personas", subforum_id=1, persona_id=2, is_default_for_subforum=1)
    original.insert("topics", subforum_id=1, user_id=1, title="ZFS or Btrfs?", created_at="2025-06-01 10:00:00")
    _add_thread(original)
    _add_requests(original)
    original.insert("attachments", post_id=1, filename="dmesg.txt", filepath="/srv/up/dmesg.txt", order_in_post=1)
    original.insert("attachments", post_id=1, filename="zpool.txt", filepath="/srv/up/zpool.txt", order_in_post=0)
    original.insert("schedule", start_hour=22, end_hour=6, days_active="Fri,Sat", enabled=1)
    original.insert("schedule", start_hour=9, end_hour=0, enabled=0)
    for key, value in (
        ("selectedModel", "llama3"),
        ("llmLinkSecurity", "false"),
        ("default_llm_context_window", "8192"),
        ("theme", "theme-hc-black"),
        ("globalDefaultPersonaId", "2"),
        ("ch_max_ambient_posts", "3"),
        ("ch_primary_history_budget_ratio", "0.6"),
        ("autoCheckContextWindow", "false"),
    ):
        original.insert("settings", setting_key=key, setting_value=value)
    return original


def _add_personas(original: Original) -> None:
    made = "2025-05-01 08:00:00"
    original.insert("personas", name="Default", prompt_instructions=HELPFUL, created_at=made)
    for _ in range(3):
        # every start of the original adds one of these
        original.insert(
            "persona_versions", persona_id=1, name="Default", prompt_instructions=HELPFUL, updated_at=made, version=1
        )
    original.insert("personas", name="Sceptic", prompt_instructions=SCEPTIC[1], created_at="2025-05-02 08:00:00")
    for number, (text, moment) in enumerate(
        zip(SCEPTIC, ("2025-05-02 08:00:00", "2025-06-01 12:00:00"), strict=True), start=1
    ):
        original.insert(
            "persona_versions",
            persona_id=2,
            name="Sceptic",
            prompt_instructions=text,
            updated_at=moment,
            version=number,
        )
    original.insert("personas", name="Retired", prompt_instructions="Rest.", created_at=made, is_active=0)


def _add_thread(original: Original) -> None:
    """1 ── 2 (Sceptic v1) ── 5 ; 1 ── 3 ── 4 (Sceptic v2): ids are not in the order of time."""
    by_sceptic = {"is_llm_response": 1, "llm_model_id": "llama3", "llm_persona_id": "2"}
    original.post(1, None, "Which one for a *small* NAS?", "2025-06-01 10:00:00")
    original.post(1, 1, "Neither, prove me wrong.", "2025-06-01 11:00:00", **by_sceptic)
    original.post(1, 1, "I meant with ECC.", "2025-06-01 10:30:00")
    original.post(1, 3, "ECC is not the question.", "2025-06-01 13:00:00", **by_sceptic)
    original.post(1, 2, "Fair enough.", "2025-06-01 14:00:00")


def _add_requests(original: Original) -> None:
    for post_id, status, more in (
        (1, "complete", {"processed_at": "2025-06-01 11:00:00", "full_prompt_sent": "Doubt everything.\n\nUser: …"}),
        (3, "complete", {"processed_at": "2025-06-01 13:00:00"}),
        (5, "pending", {}),
        (5, "error", {"error_message": "Ollama stream ended unexpectedly", "processed_at": "2025-06-01 15:00:00"}),
        (None, "pending_dependency", {}),
        (None, "pending", {"request_type": "generate_persona"}),
        (4, "complete", {}),
        (2, "processing", {"request_type": "respond_to_post_tag"}),
    ):
        original.insert(
            "llm_requests",
            post_id_to_respond_to=post_id,
            requested_at="2025-06-01 10:10:00",
            status=status,
            llm_model="llama3",
            llm_persona="2",
            **more,
        )
