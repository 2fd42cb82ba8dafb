-- SPDX-License-Identifier: Apache-2.0
-- Callers that the admin page and the API manage. What each column means:
-- sql/schema.md.

ALTER TABLE client ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;

CREATE TRIGGER catalog_client_insert AFTER INSERT ON client BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
CREATE TRIGGER catalog_client_update AFTER UPDATE ON client BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;
CREATE TRIGGER catalog_client_delete AFTER DELETE ON client BEGIN
    UPDATE setting SET value = CAST(value + 1 AS TEXT)
    WHERE name = 'catalog_version';
END;

-- A session of the mini-program family is found by its id.
CREATE INDEX conversation_client ON conversation (client_id);
PRAGMA user_version = 5;
