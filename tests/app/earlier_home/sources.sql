BEGIN TRANSACTION;
CREATE TABLE items (
    source TEXT NOT NULL, address TEXT NOT NULL, stamp TEXT NOT NULL, unread INTEGER NOT NULL,
    PRIMARY KEY (source, address)
);
INSERT INTO "items" VALUES('wiki','a','1',0);
INSERT INTO "items" VALUES('wiki','b','2',1);
CREATE TABLE sources (
    name TEXT PRIMARY KEY, address TEXT NOT NULL UNIQUE, collection TEXT NOT NULL, every TEXT NOT NULL,
    inner INTEGER NOT NULL, next_at TEXT NOT NULL
);
INSERT INTO "sources" VALUES('wiki','https://wiki.example.org','staff','1h',0,'2026-11-28T12:00:00.000+00:00');
COMMIT;
PRAGMA user_version = 0;
