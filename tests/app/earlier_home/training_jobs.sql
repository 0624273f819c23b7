BEGIN TRANSACTION;
CREATE TABLE jobs (id, created_at, state, started_at, ended_at, heartbeat_at, cancel_requested, attempts, current, message, kind, base, seed, user, step, num_steps, learning_since, model, verdict, PRIMARY KEY (id));
INSERT INTO "jobs" VALUES('ca7e090f7297','2026-11-28T22:39:00.433+00:00','done',NULL,'2026-11-28T22:39:00.440+00:00',NULL,0,0,'','','cross-encoder','shipped',3,'ann@example.org',0,0,NULL,'','');
CREATE TABLE losses (
    job_id TEXT NOT NULL, step INTEGER NOT NULL, num_steps INTEGER NOT NULL, training REAL, validation REAL
);
INSERT INTO "losses" VALUES('ca7e090f7297',1,2,0.5,NULL);
INSERT INTO "losses" VALUES('ca7e090f7297',2,2,0.25,0.3);
COMMIT;
PRAGMA user_version = 0;
