BEGIN TRANSACTION;
CREATE TABLE jobs (id, created_at, state, started_at, ended_at, heartbeat_at, cancel_requested, attempts, current, message, answer_id, without, text, PRIMARY KEY (id));
INSERT INTO "jobs" VALUES('0da7d68b8a884168b1595badd403f184','2026-11-28T22:39:00.554+00:00','done',NULL,'2026-11-28T22:39:00.601+00:00','2026-11-28T22:39:00.554+00:00',0,1,'','','97b6ac78bf7f47d2bb369b3fb79acf20','["00000000a2c6a2c7"]','');
COMMIT;
PRAGMA user_version = 0;
