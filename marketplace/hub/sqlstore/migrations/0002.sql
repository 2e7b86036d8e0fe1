-- What jobs need beside River's own tables.

-- A job that waits for its first run: what keeps it from being added twice.
CREATE TABLE waiting (
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	at BIGINT NOT NULL,
	token TEXT NOT NULL,
	PRIMARY KEY (kind, subject, at)
);

-- Processes that work. beats rises while one lives.
CREATE TABLE workers (
	id TEXT NOT NULL PRIMARY KEY,
	beats BIGINT NOT NULL
);

-- When each periodic job was last enqueued.
CREATE TABLE periodics (
	kind TEXT NOT NULL PRIMARY KEY,
	ran BIGINT NOT NULL
);

-- The moderators' list of ratings held back, over all plugins.
CREATE INDEX ratings_state ON ratings (state, updated);
