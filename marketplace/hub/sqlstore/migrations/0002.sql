-- What jobs need beside River's own tables, and indexes that fit the pages of lists.

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

-- Indexes of lists that are paged through end with the key, which decides among equals:
-- without it, all records of the same value are sorted for each page.
DROP INDEX ratings_helpful;
DROP INDEX ratings_updated;
DROP INDEX ratings_account;
CREATE INDEX ratings_helpful ON ratings (plugin, state, helpful, account);
CREATE INDEX ratings_updated ON ratings (plugin, state, updated, account);
CREATE INDEX ratings_stars ON ratings (plugin, state, stars, updated, account);
CREATE INDEX ratings_account ON ratings (account, updated, plugin);
CREATE INDEX ratings_state ON ratings (state, updated, plugin, account); -- held back, over all plugins
DROP INDEX submissions_queue;
DROP INDEX submissions_state;
DROP INDEX submissions_publisher;
DROP INDEX submissions_plugin;
CREATE INDEX submissions_queue ON submissions (state, risk, id);
CREATE INDEX submissions_state ON submissions (state, updated, id);
CREATE INDEX submissions_plugin ON submissions (plugin, version, id);
CREATE INDEX submissions_publisher ON submissions (publisher, created, id);
DROP INDEX plugins_publisher;
CREATE INDEX plugins_publisher ON plugins (publisher, updated, id);
CREATE INDEX plugins_listed ON plugins (state, id);
DROP INDEX reports_state;
DROP INDEX reports_by;
CREATE INDEX reports_state ON reports (state, created, id);
CREATE INDEX reports_by ON reports (created_by, created, id);
DROP INDEX appeals_state;
CREATE INDEX appeals_state ON appeals (state, created, id);
DROP INDEX decisions_created;
CREATE INDEX decisions_created ON decisions (created, id);
DROP INDEX advisories_created;
CREATE INDEX advisories_created ON advisories (created, id);
DROP INDEX deliveries_hook;
CREATE INDEX deliveries_hook ON deliveries (hook, created, id);
DROP INDEX notices_account;
CREATE INDEX notices_account ON notices (account, id);
CREATE INDEX notices_unread ON notices (account, read_at);
DROP INDEX tokens_account;
CREATE INDEX tokens_account ON tokens (account, id);
DROP INDEX panels_account;
CREATE INDEX panels_account ON panels (account, id);
