BEGIN TRANSACTION;
CREATE TABLE jobs (id, created_at, state, started_at, ended_at, heartbeat_at, cancel_requested, attempts, current, message, model_id, num_bytes, size, PRIMARY KEY (id));
INSERT INTO "jobs" VALUES('860300866a6c','2026-11-28T22:39:00.447+00:00','queued',NULL,NULL,NULL,0,0,'','','org/model',0,0);
COMMIT;
PRAGMA user_version = 0;
