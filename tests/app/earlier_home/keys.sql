BEGIN TRANSACTION;
CREATE TABLE key_users (name TEXT NOT NULL, user TEXT NOT NULL, PRIMARY KEY (name, user));
INSERT INTO "key_users" VALUES('bot','carl');
CREATE TABLE keys (
    sha256 TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, last_used_at TEXT
, scopes DEFAULT 'search ask rerank feedback', expires_at DEFAULT NULL, rate DEFAULT 300, num_users DEFAULT 100, owner DEFAULT '', collections DEFAULT NULL);
INSERT INTO "keys" VALUES('741c198c19dc89be51d26bffcade6b77f21514ed4b90dcfb87f63055f220eb34','wiki','2026-11-28T22:38:59.310+00:00',NULL,'search ask rerank feedback',NULL,300,1,'',NULL);
INSERT INTO "keys" VALUES('2d2e04333ed0410e2f11b5df9d20c06c8426e3fa577196a90bd92d51ef7626f8','bot','2026-11-28T22:38:59.359+00:00',NULL,'search',NULL,5,3,'ann@example.org','["staff"]');
COMMIT;
PRAGMA user_version = 0;
