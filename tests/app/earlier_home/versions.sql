BEGIN TRANSACTION;
CREATE TABLE corrections (
    document_id TEXT NOT NULL, other_id TEXT NOT NULL, is_replaced INTEGER NOT NULL, user TEXT NOT NULL,
    made_at TEXT NOT NULL, PRIMARY KEY (document_id, other_id)
);
INSERT INTO "corrections" VALUES('d1','d2',1,'ann@example.org','2026-11-28T22:38:59.057+00:00');
INSERT INTO "corrections" VALUES('d3','d4',0,'ben@example.org','2026-11-28T22:38:59.141+00:00');
INSERT INTO "corrections" VALUES('d3','d5',0,'ben@example.org','2026-11-28T22:38:59.141+00:00');
COMMIT;
PRAGMA user_version = 0;
