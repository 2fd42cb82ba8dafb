-- SPDX-License-Identifier: Apache-2.0
-- What the admin page sets and shows. What each column means: sql/schema.md.

ALTER TABLE upstream ADD COLUMN region TEXT;
ALTER TABLE upstream ADD COLUMN note TEXT;
ALTER TABLE upstream ADD COLUMN connect_ms INTEGER;
ALTER TABLE upstream ADD COLUMN first_content_ms INTEGER;
ALTER TABLE upstream ADD COLUMN gap_ms INTEGER;
ALTER TABLE upstream ADD COLUMN total_ms INTEGER;
ALTER TABLE upstream ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;

ALTER TABLE api_key ADD COLUMN apps TEXT;
ALTER TABLE api_key ADD COLUMN models TEXT;
ALTER TABLE api_key ADD COLUMN account TEXT;
ALTER TABLE api_key ADD COLUMN note TEXT;
ALTER TABLE api_key ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;

ALTER TABLE app ADD COLUMN note TEXT;
ALTER TABLE app ADD COLUMN heartbeat_first_ms INTEGER;
ALTER TABLE app ADD COLUMN heartbeat_ms INTEGER;
ALTER TABLE app ADD COLUMN retry_pace TEXT;
ALTER TABLE app ADD COLUMN retry_ms INTEGER;
ALTER TABLE app ADD COLUMN principal_streams INTEGER;
ALTER TABLE app ADD COLUMN queue_bytes INTEGER;
ALTER TABLE app ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;

-- Beside api_key, so that a test is no change of the catalog.
CREATE TABLE key_check (
    key_id     INTEGER PRIMARY KEY REFERENCES api_key (id) ON DELETE CASCADE,
    at         INTEGER NOT NULL,
    code       TEXT,
    status     INTEGER NOT NULL,
    latency_ms INTEGER NOT NULL
) STRICT;

ALTER TABLE audit ADD COLUMN outcome TEXT NOT NULL DEFAULT 'done';

CREATE INDEX usage_day_key ON usage_day (key_id, day);
PRAGMA user_version = 2;
