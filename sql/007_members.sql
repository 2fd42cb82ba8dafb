-- SPDX-License-Identifier: Apache-2.0
-- Conversations that several callers share. What each column means:
-- sql/schema.md.

CREATE TABLE conversation_member (
    shared_id       TEXT NOT NULL,
    member          TEXT NOT NULL,
    conversation_id INTEGER NOT NULL
                    REFERENCES conversation (id) ON DELETE CASCADE,
    added_at        INTEGER NOT NULL,
    PRIMARY KEY (shared_id, member)
) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_member_of ON conversation_member (member);
CREATE INDEX conversation_member_conversation
    ON conversation_member (conversation_id);
ALTER TABLE stream ADD COLUMN asker TEXT;
PRAGMA user_version = 7;
