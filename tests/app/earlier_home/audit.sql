BEGIN TRANSACTION;
CREATE TABLE entries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, user TEXT NOT NULL, act TEXT NOT NULL,
    subject TEXT NOT NULL, address TEXT NOT NULL
);
INSERT INTO "entries" VALUES(1,'2026-11-28T22:38:59.444+00:00','ann@example.org','added a key','bot','127.0.0.1');
INSERT INTO "entries" VALUES(2,'2026-11-28T22:38:59.502+00:00','','read access.toml again','','');
CREATE TRIGGER never_changed BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'only grows'); END;
CREATE TRIGGER never_removed BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'only grows'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('entries',2);
COMMIT;
PRAGMA user_version = 0;
