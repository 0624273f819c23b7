BEGIN TRANSACTION;
CREATE TABLE parts (question TEXT PRIMARY KEY, part TEXT NOT NULL);
INSERT INTO "parts" VALUES('how many days of leave','train');
INSERT INTO "parts" VALUES('where is the key','train');
COMMIT;
PRAGMA user_version = 0;
