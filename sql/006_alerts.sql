-- SPDX-License-Identifier: Apache-2.0
-- Who is told, by a webhook, when something goes wrong. What each column
-- means: sql/schema.md.

CREATE TABLE alert (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    name             TEXT NOT NULL UNIQUE,
    shape            TEXT NOT NULL
                     CHECK (shape IN ('generic', 'dingtalk', 'wecom', 'feishu')),
    is_enabled       INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
    host             TEXT NOT NULL,
    sealed           BLOB NOT NULL,
    version          INTEGER NOT NULL,
    master_key_id    INTEGER NOT NULL,
    ca_file          TEXT,
    proxy            TEXT,
    window_s         INTEGER NOT NULL CHECK (window_s BETWEEN 60 AND 3600),
    error_percent    INTEGER CHECK (error_percent BETWEEN 1 AND 100),
    streams_least    INTEGER NOT NULL CHECK (streams_least >= 1),
    first_content_ms INTEGER CHECK (first_content_ms >= 1),
    has_keys         INTEGER NOT NULL CHECK (has_keys IN (0, 1)),
    has_store        INTEGER NOT NULL CHECK (has_store IN (0, 1)),
    repeat_minutes   INTEGER CHECK (repeat_minutes >= 5),
    note             TEXT,
    silenced_until   INTEGER NOT NULL DEFAULT 0,
    revision         INTEGER NOT NULL DEFAULT 1,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;

CREATE TRIGGER catalog_alert_insert AFTER INSERT ON alert BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
CREATE TRIGGER catalog_alert_update AFTER UPDATE ON alert BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
CREATE TRIGGER catalog_alert_delete AFTER DELETE ON alert BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
PRAGMA user_version = 6;
