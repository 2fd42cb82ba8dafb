-- SPDX-License-Identifier: Apache-2.0
-- Conversations of everybody by age, what is kept for how long, and deletions
-- that were asked for. What each column means: sql/schema.md.

CREATE INDEX conversation_age ON conversation (updated_at, id);
CREATE INDEX stream_age ON stream (ended_at)
    WHERE outcome <> 0 AND trimmed_to = 0;

CREATE TABLE retention (
    id                INTEGER PRIMARY KEY CHECK (id = 1),
    version           INTEGER NOT NULL,
    conversation_days INTEGER CHECK (conversation_days BETWEEN 1 AND 3650),
    event_days        INTEGER CHECK (event_days BETWEEN 1 AND 3650),
    is_running        INTEGER NOT NULL CHECK (is_running IN (0, 1)),
    pass_at           INTEGER,
    conversations     INTEGER NOT NULL,
    streams           INTEGER NOT NULL
) STRICT;
INSERT INTO retention (id, version, conversation_days, event_days, is_running,
                       pass_at, conversations, streams)
VALUES (1, 1, NULL, 30, 0, NULL, 0, 0);

CREATE TABLE deletion (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    actor         TEXT NOT NULL,
    owner         TEXT,
    before        INTEGER NOT NULL,
    has_before    INTEGER NOT NULL CHECK (has_before IN (0, 1)),
    conversations INTEGER NOT NULL,
    deleted       INTEGER NOT NULL,
    requested_at  INTEGER NOT NULL,
    ended_at      INTEGER
) STRICT;
CREATE INDEX deletion_open ON deletion (id) WHERE ended_at IS NULL;

PRAGMA user_version = 3;
