-- SPDX-License-Identifier: Apache-2.0
-- What the admin asks about a stream after its end.

ALTER TABLE stream ADD COLUMN upstream TEXT;
ALTER TABLE stream ADD COLUMN client TEXT;
ALTER TABLE stream ADD COLUMN request_id TEXT;
ALTER TABLE stream ADD COLUMN key_last4 TEXT;
ALTER TABLE stream ADD COLUMN timeline BLOB;
CREATE INDEX stream_ended ON stream (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX stream_request ON stream (request_id)
    WHERE request_id IS NOT NULL;
CREATE INDEX stream_upstream_request ON stream (upstream_request_id)
    WHERE upstream_request_id IS NOT NULL;
PRAGMA user_version = 4;
