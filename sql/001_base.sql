-- SPDX-License-Identifier: Apache-2.0
-- The first schema. What each column means: sql/schema.md.
-- Times are microseconds since 1970 UTC; durations are milliseconds.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO setting (name, value) VALUES ('catalog_version', '1');

CREATE TABLE upstream (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    base_url   TEXT NOT NULL,
    workspace  TEXT,
    ca_file    TEXT,
    proxy      TEXT,
    use_http2  INTEGER NOT NULL CHECK (use_http2 IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_key (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    upstream_id   INTEGER NOT NULL REFERENCES upstream (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    state         TEXT NOT NULL
                  CHECK (state IN ('enabled', 'disabled', 'reenter')),
    last4         TEXT NOT NULL,
    fingerprint   TEXT NOT NULL,
    sealed        BLOB NOT NULL,
    version       INTEGER NOT NULL,
    master_key_id INTEGER NOT NULL,
    weight        INTEGER NOT NULL CHECK (weight BETWEEN 1 AND 1000),
    priority      INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 1000),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (upstream_id, name)
) STRICT;

CREATE TABLE app (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    name             TEXT NOT NULL UNIQUE,
    upstream_id      INTEGER NOT NULL REFERENCES upstream (id),
    app_id           TEXT NOT NULL,
    is_default       INTEGER NOT NULL CHECK (is_default IN (0, 1)),
    is_incremental   INTEGER NOT NULL CHECK (is_incremental IN (0, 1)),
    has_thoughts     INTEGER NOT NULL CHECK (has_thoughts IN (0, 1)),
    enable_thinking  INTEGER CHECK (enable_thinking IN (0, 1)),
    flow_mode        TEXT NOT NULL,
    answer_nodes     TEXT,
    parameters       TEXT,
    workspace        TEXT,
    connect_ms       INTEGER,
    first_content_ms INTEGER,
    gap_ms           INTEGER,
    total_ms         INTEGER,
    retries          INTEGER,
    policy           TEXT,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX app_default ON app (is_default) WHERE is_default = 1;
CREATE INDEX app_upstream ON app (upstream_id);

CREATE TABLE client (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    kind        TEXT NOT NULL CHECK (kind IN ('token', 'jwt')),
    token_hash  BLOB UNIQUE,
    settings    TEXT,
    is_enabled  INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
    expires_at  INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE conversation (
    id         INTEGER PRIMARY KEY,
    owner      TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    title      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (owner, client_id)
) STRICT;
CREATE INDEX conversation_recent ON conversation (owner, updated_at, id);

CREATE TABLE message (
    id              INTEGER PRIMARY KEY,
    conversation_id INTEGER NOT NULL
                    REFERENCES conversation (id) ON DELETE CASCADE,
    role            TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    answer_id       INTEGER,
    item_id         TEXT,
    content         TEXT NOT NULL,
    reasoning       TEXT,
    refs            TEXT,
    created_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX message_conversation ON message (conversation_id);

CREATE TABLE stream (
    id                  INTEGER PRIMARY KEY
                        REFERENCES message (id) ON DELETE CASCADE,
    stream_id           BLOB NOT NULL UNIQUE CHECK (length(stream_id) = 16),
    app                 TEXT NOT NULL,
    transport           TEXT NOT NULL,
    idempotency_key     TEXT,
    child_id            INTEGER NOT NULL,
    outcome             INTEGER NOT NULL DEFAULT 0,
    reason              TEXT,
    finish_reason       TEXT,
    upstream_code       TEXT,
    upstream_request_id TEXT,
    session_id          TEXT,
    model_id            TEXT,
    sha256              BLOB,
    text_len            INTEGER NOT NULL DEFAULT 0,
    event_count         INTEGER NOT NULL DEFAULT 0,
    trimmed_to          INTEGER NOT NULL DEFAULT 0,
    attempts            INTEGER NOT NULL DEFAULT 0,
    attempts_json       TEXT,
    key_id              INTEGER,
    input_tokens        INTEGER,
    output_tokens       INTEGER,
    first_content_ms    INTEGER,
    duration_ms         INTEGER,
    started_at          INTEGER NOT NULL,
    ended_at            INTEGER
) STRICT;
CREATE INDEX stream_live ON stream (child_id) WHERE outcome = 0;
CREATE INDEX stream_idempotency ON stream (idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE TABLE stream_event (
    id        INTEGER PRIMARY KEY,
    stream    INTEGER NOT NULL REFERENCES stream (id) ON DELETE CASCADE,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    data      BLOB NOT NULL,
    UNIQUE (stream, first_seq)
) STRICT;

CREATE TABLE usage_day (
    day           INTEGER NOT NULL,
    owner         TEXT NOT NULL,
    app           TEXT NOT NULL,
    key_id        INTEGER NOT NULL,
    streams       INTEGER NOT NULL,
    failures      INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    PRIMARY KEY (day, owner, app, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    actor     TEXT NOT NULL,
    from_addr TEXT NOT NULL,
    action    TEXT NOT NULL,
    object    TEXT NOT NULL,
    detail    TEXT
) STRICT;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit is append-only');
END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit is append-only');
END;

CREATE TABLE workflow (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    definition TEXT NOT NULL,
    is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE run (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    stream      INTEGER REFERENCES stream (id) ON DELETE SET NULL,
    state       TEXT NOT NULL,
    steps       TEXT,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER
) STRICT;
CREATE INDEX run_workflow ON run (workflow_id);
CREATE INDEX run_stream ON run (stream) WHERE stream IS NOT NULL;

-- Every process watches this number to see that an admin changed something.
CREATE TRIGGER catalog_upstream_insert AFTER INSERT ON upstream BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
CREATE TRIGGER catalog_upstream_update AFTER UPDATE ON upstream BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
CREATE TRIGGER catalog_upstream_delete AFTER DELETE ON upstream BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
CREATE TRIGGER catalog_api_key_insert AFTER INSERT ON api_key BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
CREATE TRIGGER catalog_api_key_update AFTER UPDATE ON api_key BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
CREATE TRIGGER catalog_api_key_delete AFTER DELETE ON api_key BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
CREATE TRIGGER catalog_app_insert AFTER INSERT ON app BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
CREATE TRIGGER catalog_app_update AFTER UPDATE ON app BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
CREATE TRIGGER catalog_app_delete AFTER DELETE ON app BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
PRAGMA user_version = 1;
