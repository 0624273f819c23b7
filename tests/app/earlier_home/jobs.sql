BEGIN TRANSACTION;
CREATE TABLE jobs (id, created_at, state, started_at, ended_at, heartbeat_at, cancel_requested, attempts, current, message, kind, paths, prune, embedder, collection, source, num_files, num_files_done, num_chunks_done, PRIMARY KEY (id));
INSERT INTO "jobs" VALUES('476ee51f9d35','2026-11-28T22:39:00.189+00:00','failed',NULL,'2026-11-28T22:39:00.329+00:00',NULL,0,0,'','stopped','folder','["/srv/gr\u00f6\u00dfe", "/srv/b"]',1,'','staff','',3,2,0);
INSERT INTO "jobs" VALUES('e259015a280a','2026-11-28T22:39:00.360+00:00','queued',NULL,NULL,NULL,0,0,'','','source','[]',0,'','','wiki',0,0,0);
CREATE TABLE results (
    job_id TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, status TEXT NOT NULL,
    num_chunks INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (job_id, source)
);
INSERT INTO "results" VALUES('476ee51f9d35','a.md','/srv/a.md','added',4,'');
INSERT INTO "results" VALUES('476ee51f9d35','b.md','/srv/b.md','failed',0,'it is empty');
COMMIT;
PRAGMA user_version = 0;
