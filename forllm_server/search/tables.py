"""The full-text index: an FTS5 table on SQLite, a column of tsvector on PostgreSQL, both kept by triggers.

One document a post that is not deleted: its text, and for the first post of a topic the topic's title. Whether the
topic or the subforum is deleted is asked when searching. On SQLite the index holds no text: it reads the view.

It is no SQLAlchemy table: neither database's kind of index can be told in that language, so it is made by statements.
"""

from typing import Any

from sqlalchemy import Connection, MetaData, event

from forllm_server.db.types import metadata

SQLITE_STATEMENTS = (
    (
        "CREATE VIEW search_documents AS SELECT p.id AS id,"
        " CASE WHEN p.parent_id IS NULL THEN t.title ELSE '' END AS title, p.content AS content"
        " FROM posts p JOIN topics t ON t.id = p.topic_id WHERE p.deleted_at IS NULL"
    ),
    (
        "CREATE VIRTUAL TABLE search_index USING fts5(title, content, content='search_documents', content_rowid='id',"
        " tokenize='porter unicode61 remove_diacritics 2')"
    ),
    "INSERT INTO search_index (search_index, rank) VALUES ('rank', 'bm25(8.0, 1.0)')",
    (
        "CREATE TRIGGER search_post_added AFTER INSERT ON posts WHEN new.deleted_at IS NULL BEGIN"
        " INSERT INTO search_index (rowid, title, content) VALUES (new.id,"
        " CASE WHEN new.parent_id IS NULL THEN (SELECT title FROM topics WHERE id = new.topic_id) ELSE '' END,"
        " new.content); END"
    ),
    (
        "CREATE TRIGGER search_post_changed AFTER UPDATE OF content, parent_id, topic_id, deleted_at ON posts"
        " WHEN old.content IS NOT new.content OR old.parent_id IS NOT new.parent_id"
        " OR old.topic_id IS NOT new.topic_id OR (old.deleted_at IS NULL) IS NOT (new.deleted_at IS NULL) BEGIN"
        " INSERT INTO search_index (search_index, rowid, title, content) SELECT 'delete', old.id,"
        " CASE WHEN old.parent_id IS NULL THEN (SELECT title FROM topics WHERE id = old.topic_id) ELSE '' END,"
        " old.content WHERE old.deleted_at IS NULL;"
        " INSERT INTO search_index (rowid, title, content) SELECT new.id,"
        " CASE WHEN new.parent_id IS NULL THEN (SELECT title FROM topics WHERE id = new.topic_id) ELSE '' END,"
        " new.content WHERE new.deleted_at IS NULL; END"
    ),
    (
        "CREATE TRIGGER search_post_removed AFTER DELETE ON posts WHEN old.deleted_at IS NULL BEGIN"
        " INSERT INTO search_index (search_index, rowid, title, content) VALUES ('delete', old.id,"
        " CASE WHEN old.parent_id IS NULL THEN (SELECT title FROM topics WHERE id = old.topic_id) ELSE '' END,"
        " old.content); END"
    ),
    (
        "CREATE TRIGGER search_topic_renamed AFTER UPDATE OF title ON topics WHEN old.title IS NOT new.title BEGIN"
        " INSERT INTO search_index (search_index, rowid, title, content) SELECT 'delete', p.id, old.title, p.content"
        " FROM posts p WHERE p.topic_id = new.id AND +p.parent_id IS NULL AND p.deleted_at IS NULL;"
        " INSERT INTO search_index (rowid, title, content) SELECT p.id, new.title, p.content"
        " FROM posts p WHERE p.topic_id = new.id AND +p.parent_id IS NULL AND p.deleted_at IS NULL; END"
    ),
    "CREATE INDEX ix_posts_search_partial ON posts (id) WHERE is_partial = 1",
    "CREATE INDEX ix_posts_search_persona ON posts (persona_version_id, id) WHERE persona_version_id IS NOT NULL",
    "CREATE INDEX ix_posts_search_model ON posts (model_name, id) WHERE model_name IS NOT NULL",
)

POSTGRESQL_STATEMENTS = (
    # English endings as SQLite's stemmer sees them, but no stop words: "the who" is to be found on both.
    "CREATE TEXT SEARCH DICTIONARY search_stem (TEMPLATE = snowball, LANGUAGE = english)",
    "CREATE TEXT SEARCH CONFIGURATION search_english (PARSER = default)",
    (
        "ALTER TEXT SEARCH CONFIGURATION search_english ADD MAPPING FOR"
        " asciiword, word, numword, int, uint, float, sfloat, version WITH search_stem"
    ),
    (
        "CREATE FUNCTION search_fold(source text) RETURNS text LANGUAGE sql IMMUTABLE AS $$"
        " SELECT regexp_replace(normalize(regexp_replace(normalize(left(source, 200000), NFD),"
        " '[\\u0300-\\u036f]', '', 'g'), NFC),"
        " '[\\u0001-\\u002f\\u003a-\\u0040\\u005b-\\u0060\\u007b-\\u00a9\\u2000-\\u206f\\u3000-\\u3003]+', ' ', 'g') $$"
    ),
    (
        "CREATE FUNCTION search_vector(title text, content text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$"
        " SELECT setweight(to_tsvector('search_english'::regconfig, search_fold(title)), 'A')"
        " || setweight(to_tsvector('search_english'::regconfig, search_fold(content)), 'D') $$"
    ),
    (
        "CREATE TABLE search_words (post_id bigint NOT NULL, words tsvector NOT NULL,"
        " CONSTRAINT pk_search_words PRIMARY KEY (post_id),"
        " CONSTRAINT fk_search_words_post_id_posts FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE)"
    ),
    (
        "CREATE FUNCTION search_post_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.deleted_at IS NULL THEN INSERT INTO search_words (post_id, words)"
        " SELECT NEW.id, search_vector(CASE WHEN NEW.parent_id IS NULL THEN t.title ELSE '' END, NEW.content)"
        " FROM topics t WHERE t.id = NEW.topic_id ON CONFLICT (post_id) DO UPDATE SET words = excluded.words;"
        " ELSE DELETE FROM search_words WHERE post_id = NEW.id; END IF; RETURN NULL; END $$"
    ),
    (
        "CREATE TRIGGER search_post_added AFTER INSERT ON posts FOR EACH ROW WHEN (NEW.deleted_at IS NULL)"
        " EXECUTE FUNCTION search_post_changed()"
    ),
    (
        "CREATE TRIGGER search_post_changed AFTER UPDATE OF content, parent_id, topic_id, deleted_at ON posts"
        " FOR EACH ROW WHEN (OLD.content IS DISTINCT FROM NEW.content"
        " OR OLD.parent_id IS DISTINCT FROM NEW.parent_id OR OLD.topic_id IS DISTINCT FROM NEW.topic_id"
        " OR (OLD.deleted_at IS NULL) IS DISTINCT FROM (NEW.deleted_at IS NULL))"
        " EXECUTE FUNCTION search_post_changed()"
    ),
    (
        "CREATE FUNCTION search_topic_renamed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE search_words SET words = search_vector(NEW.title, p.content) FROM posts p"
        " WHERE search_words.post_id = p.id AND p.topic_id = NEW.id AND p.parent_id IS NULL; RETURN NULL; END $$"
    ),
    (
        "CREATE TRIGGER search_topic_renamed AFTER UPDATE OF title ON topics FOR EACH ROW"
        " WHEN (OLD.title IS DISTINCT FROM NEW.title) EXECUTE FUNCTION search_topic_renamed()"
    ),
    "CREATE INDEX ix_search_words_words ON search_words USING gin (words)",
    "CREATE INDEX ix_posts_search_partial ON posts (id) WHERE is_partial",
    "CREATE INDEX ix_posts_search_persona ON posts (persona_version_id, id) WHERE persona_version_id IS NOT NULL",
    "CREATE INDEX ix_posts_search_model ON posts (model_name, id) WHERE model_name IS NOT NULL",
)


def _create(_metadata: MetaData, connection: Connection, **_options: Any) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    for statement in SQLITE_STATEMENTS if is_sqlite else POSTGRESQL_STATEMENTS:
        connection.exec_driver_sql(statement)


event.listen(metadata, "after_create", _create)
