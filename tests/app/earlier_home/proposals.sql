BEGIN TRANSACTION;
CREATE TABLE jobs (id, created_at, state, started_at, ended_at, heartbeat_at, cancel_requested, attempts, current, message, count, seed, num_done, num_proposed, refused, PRIMARY KEY (id));
INSERT INTO "jobs" VALUES('cb9368f6e6b2','2026-11-28T22:38:59.696+00:00','done',NULL,'2026-11-28T22:38:59.770+00:00','2026-11-28T22:38:59.696+00:00',0,1,'','',5,7,0,0,'');
CREATE TABLE proposals (id, at, question, chunk_id, document, title, heading, page, text, model, state, decided_by, PRIMARY KEY (id));
INSERT INTO "proposals" VALUES('p0','2026-11-28T12:00:00.000+00:00','How old is house 0?','c','houses.md','Houses','',NULL,'It is old.','tiny','open','');
INSERT INTO "proposals" VALUES('p1','2026-11-28T12:00:00.000+00:00','How old is house 1?','c','houses.md','Houses','',1,'It is old.','tiny','rejected','ben@example.org');
COMMIT;
PRAGMA user_version = 0;
