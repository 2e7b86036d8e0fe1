BEGIN TRANSACTION;
CREATE TABLE accounts (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	rev BIGINT NOT NULL,
	name TEXT NOT NULL,
	email TEXT NOT NULL,
	roles TEXT NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	created BIGINT NOT NULL,
	seen BIGINT NOT NULL
);
INSERT INTO "accounts" VALUES('acc_1',1,'Ada Lovelace','ada@example.org','["admin"]','active','',1767323045000006,0);
CREATE TABLE advisories (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	rev BIGINT NOT NULL,
	publisher TEXT NOT NULL,
	plugin TEXT NOT NULL,
	body TEXT NOT NULL,
	issued_by TEXT NOT NULL,
	created BIGINT NOT NULL,
	rescinded BIGINT NOT NULL
);
CREATE TABLE appeals (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	rev BIGINT NOT NULL,
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	publisher TEXT NOT NULL,
	created_by TEXT NOT NULL,
	text TEXT NOT NULL,
	state TEXT NOT NULL,
	answer TEXT NOT NULL,
	answer_by TEXT NOT NULL,
	created BIGINT NOT NULL,
	answered BIGINT NOT NULL
);
CREATE TABLE audit (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	at BIGINT NOT NULL,
	actor TEXT NOT NULL,
	via TEXT NOT NULL,
	action TEXT NOT NULL,
	target TEXT NOT NULL,
	detail TEXT NOT NULL
);
INSERT INTO "audit" VALUES(1,1767323045000006,'acc_1','session','publisher.create','publisher acme','');
CREATE TABLE catalog (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	rev BIGINT NOT NULL,
	state TEXT NOT NULL,
	serial BIGINT NOT NULL
);
CREATE TABLE categories (
	slug TEXT NOT NULL PRIMARY KEY CHECK (slug <> ''),
	name TEXT NOT NULL,
	summary TEXT NOT NULL,
	position BIGINT NOT NULL
);
CREATE TABLE changes (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	plugin TEXT NOT NULL
);
INSERT INTO "changes" VALUES(1,'acme/backup');
CREATE TABLE comments (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	submission TEXT NOT NULL,
	round BIGINT NOT NULL,
	author TEXT NOT NULL,
	file TEXT NOT NULL,
	line BIGINT NOT NULL,
	text TEXT NOT NULL,
	internal BIGINT NOT NULL,
	created BIGINT NOT NULL
);
CREATE TABLE decisions (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	kind TEXT NOT NULL,
	subject_kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	publisher TEXT NOT NULL,
	text TEXT NOT NULL,
	decided_by TEXT NOT NULL,
	advisory TEXT NOT NULL,
	reverses TEXT NOT NULL,
	created BIGINT NOT NULL
);
CREATE TABLE deliveries (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	hook TEXT NOT NULL,
	event TEXT NOT NULL,
	kind TEXT NOT NULL,
	body TEXT NOT NULL,
	state TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	status BIGINT NOT NULL,
	detail TEXT NOT NULL,
	took BIGINT NOT NULL,
	created BIGINT NOT NULL,
	tried BIGINT NOT NULL
);
CREATE TABLE devices (
	hash TEXT NOT NULL PRIMARY KEY CHECK (hash <> ''),
	user_code TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL,
	public_key TEXT NOT NULL,
	address TEXT NOT NULL,
	state TEXT NOT NULL,
	account TEXT NOT NULL,
	polled BIGINT NOT NULL,
	poll_interval BIGINT NOT NULL,
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL
);
CREATE TABLE events (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE CHECK (id <> ''),
	at BIGINT NOT NULL,
	kind TEXT NOT NULL,
	publisher TEXT NOT NULL,
	plugin TEXT NOT NULL,
	version TEXT NOT NULL,
	subject TEXT NOT NULL,
	title TEXT NOT NULL,
	data TEXT NOT NULL,
	public BIGINT NOT NULL
);
CREATE TABLE hooks (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	rev BIGINT NOT NULL,
	account TEXT NOT NULL,
	publisher TEXT NOT NULL,
	url TEXT NOT NULL,
	secret TEXT NOT NULL,
	kinds TEXT NOT NULL,
	enabled BIGINT NOT NULL,
	reason TEXT NOT NULL,
	failures BIGINT NOT NULL,
	created BIGINT NOT NULL,
	succeeded BIGINT NOT NULL
);
CREATE TABLE identities (
	issuer TEXT NOT NULL,
	subject TEXT NOT NULL,
	account TEXT NOT NULL,
	email TEXT NOT NULL,
	added BIGINT NOT NULL,
	used BIGINT NOT NULL,
	PRIMARY KEY (issuer, subject)
);
CREATE TABLE members (
	publisher TEXT NOT NULL,
	account TEXT NOT NULL,
	role TEXT NOT NULL,
	added BIGINT NOT NULL,
	PRIMARY KEY (publisher, account)
);
INSERT INTO "members" VALUES('acme','acc_1','owner',1767323045000006);
CREATE TABLE notices (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	account TEXT NOT NULL,
	title TEXT NOT NULL,
	text TEXT NOT NULL,
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	read_at BIGINT NOT NULL,
	created BIGINT NOT NULL
);
CREATE TABLE onces (
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	data TEXT NOT NULL,
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	PRIMARY KEY (kind, name)
);
CREATE TABLE panels (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	account TEXT NOT NULL,
	token TEXT NOT NULL,
	name TEXT NOT NULL,
	public_key TEXT NOT NULL,
	telemetry BIGINT NOT NULL,
	linked BIGINT NOT NULL,
	seen BIGINT NOT NULL,
	revoked BIGINT NOT NULL
);
CREATE TABLE passkeys (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	account TEXT NOT NULL,
	name TEXT NOT NULL,
	data TEXT NOT NULL,
	added BIGINT NOT NULL,
	used BIGINT NOT NULL
);
CREATE TABLE plugins (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	rev BIGINT NOT NULL,
	publisher TEXT NOT NULL,
	name TEXT NOT NULL,
	summary TEXT NOT NULL,
	categories TEXT NOT NULL,
	latest TEXT NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	deprecated TEXT NOT NULL,
	featured BIGINT NOT NULL,
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL
);
INSERT INTO "plugins" VALUES('acme/backup',1,'acme','Backup','','["tools"]','','listed','','',0,1767323045000006,0);
CREATE TABLE proofs (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	publisher TEXT NOT NULL,
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	challenge TEXT NOT NULL,
	state TEXT NOT NULL,
	detail TEXT NOT NULL,
	added BIGINT NOT NULL,
	proved BIGINT NOT NULL,
	checked BIGINT NOT NULL,
	due BIGINT NOT NULL,
	failures BIGINT NOT NULL
);
CREATE TABLE publishers (
	namespace TEXT NOT NULL PRIMARY KEY CHECK (namespace <> ''),
	rev BIGINT NOT NULL,
	name TEXT NOT NULL,
	homepage TEXT NOT NULL,
	about TEXT NOT NULL,
	contact TEXT NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	verified BIGINT NOT NULL,
	created BIGINT NOT NULL
);
INSERT INTO "publishers" VALUES('acme',1,'Acme','','','','active','',0,1767323045000006);
CREATE TABLE ratings (
	plugin TEXT NOT NULL,
	account TEXT NOT NULL,
	rev BIGINT NOT NULL,
	stars BIGINT NOT NULL CHECK (stars BETWEEN 1 AND 5),
	text TEXT NOT NULL,
	version TEXT NOT NULL,
	proved BIGINT NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	helpful BIGINT NOT NULL,
	answer TEXT NOT NULL,
	answer_by TEXT NOT NULL,
	answered BIGINT NOT NULL,
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	PRIMARY KEY (plugin, account)
);
INSERT INTO "ratings" VALUES('acme/backup','acc_2',1,4,'It''s good; "very".
üñ','',0,'held','',0,'','',0,1767323045000006,1767323045000006);
CREATE TABLE releases (
	plugin TEXT NOT NULL,
	version TEXT NOT NULL,
	rev BIGINT NOT NULL,
	publisher TEXT NOT NULL,
	digest TEXT NOT NULL,
	content TEXT NOT NULL,
	size BIGINT NOT NULL,
	manifest TEXT NOT NULL,
	media TEXT NOT NULL,
	channel TEXT NOT NULL,
	notes TEXT NOT NULL,
	notes_text TEXT NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	percent BIGINT NOT NULL CHECK (percent BETWEEN 0 AND 100),
	paused BIGINT NOT NULL,
	signer TEXT NOT NULL,
	submission TEXT NOT NULL,
	serial BIGINT NOT NULL,
	published BIGINT NOT NULL,
	PRIMARY KEY (plugin, version)
);
CREATE TABLE reports (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	rev BIGINT NOT NULL,
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	publisher TEXT NOT NULL,
	reason TEXT NOT NULL,
	text TEXT NOT NULL,
	evidence TEXT NOT NULL,
	created_by TEXT NOT NULL,
	state TEXT NOT NULL,
	decision TEXT NOT NULL,
	created BIGINT NOT NULL
);
CREATE TABLE reserved (
	name TEXT NOT NULL PRIMARY KEY CHECK (name <> ''),
	reason TEXT NOT NULL,
	added BIGINT NOT NULL
);
CREATE TABLE reviews (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	submission TEXT NOT NULL,
	round BIGINT NOT NULL,
	digest TEXT NOT NULL,
	reviewer TEXT NOT NULL,
	verdict TEXT NOT NULL,
	text TEXT NOT NULL,
	created BIGINT NOT NULL
);
CREATE TABLE river_job (
    id integer PRIMARY KEY AUTOINCREMENT,
    args blob NOT NULL DEFAULT (jsonb('{}')),
    attempt integer NOT NULL DEFAULT 0,
    attempted_at timestamp,
    attempted_by blob, -- json
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    errors blob, -- json
    finalized_at timestamp,
    kind text NOT NULL,
    max_attempts integer NOT NULL DEFAULT 25,
    metadata blob NOT NULL DEFAULT (jsonb('{}')),
    priority integer NOT NULL DEFAULT 1,
    queue text NOT NULL DEFAULT 'default',
    state text NOT NULL DEFAULT 'available',
    scheduled_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    tags blob NOT NULL DEFAULT (jsonb('[]')),
    unique_key blob,
    unique_states integer,
    CONSTRAINT finalized_or_finalized_at_null CHECK (
        (finalized_at IS NULL AND state NOT IN ('cancelled', 'completed', 'discarded')) OR
        (finalized_at IS NOT NULL AND state IN ('cancelled', 'completed', 'discarded'))
    ),
    CONSTRAINT priority_in_range CHECK (priority >= 1 AND priority <= 4),
    CONSTRAINT queue_length CHECK (length(queue) > 0 AND length(queue) < 128),
    CONSTRAINT kind_length CHECK (length(kind) > 0 AND length(kind) < 128),
    CONSTRAINT state_valid CHECK (state IN ('available', 'cancelled', 'completed', 'discarded', 'pending', 'retryable', 'running', 'scheduled'))
);
INSERT INTO "river_job" VALUES(1,X'CC34777375626A65637407276174133057746F6B656EC71E6A6F625F3036683131686B72397262773734786431776131737667737163',0,NULL,NULL,'2026-11-25 03:36:12.111',NULL,NULL,'catalog',10,X'0C',1,'default','available','2026-11-25 03:36:12.111',X'0B',NULL,NULL);
INSERT INTO "river_job" VALUES(2,X'CC39777375626A656374577375625F31276174133057746F6B656EC71E6A6F625F3036683131686B723977653170703036736136786A7132653830',0,NULL,NULL,'2026-11-25 03:36:12.111',NULL,NULL,'validate',10,X'0C',1,'default','available','2026-11-25 03:36:12.111',X'0B',NULL,NULL);
CREATE TABLE river_leader (
    elected_at timestamp NOT NULL,
    expires_at timestamp NOT NULL,
    leader_id text NOT NULL,
    name text PRIMARY KEY NOT NULL DEFAULT 'default' CHECK (name = 'default'),
    CONSTRAINT name_length CHECK (length(name) > 0 AND length(name) < 128),
    CONSTRAINT leader_id_length CHECK (length(leader_id) > 0 AND length(leader_id) < 128)
);
CREATE TABLE river_migration (
    line text NOT NULL,
    version integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT line_length CHECK (length(line) > 0 AND length(line) < 128),
    CONSTRAINT version_gte_1 CHECK (version >= 1),
    PRIMARY KEY (line, version)
);
INSERT INTO "river_migration" VALUES('main',1,'2026-11-25 03:36:12');
INSERT INTO "river_migration" VALUES('main',2,'2026-11-25 03:36:12');
INSERT INTO "river_migration" VALUES('main',3,'2026-11-25 03:36:12');
INSERT INTO "river_migration" VALUES('main',4,'2026-11-25 03:36:12');
INSERT INTO "river_migration" VALUES('main',5,'2026-11-25 03:36:12');
INSERT INTO "river_migration" VALUES('main',6,'2026-11-25 03:36:12');
INSERT INTO "river_migration" VALUES('main',7,'2026-11-25 03:36:12');
INSERT INTO "river_migration" VALUES('main',8,'2026-11-25 03:36:12');
CREATE TABLE river_notification (
    id integer PRIMARY KEY AUTOINCREMENT,
    created_at timestamp NOT NULL DEFAULT (datetime('now', 'subsec')),
    payload text NOT NULL,
    topic text NOT NULL,
    CONSTRAINT topic_length CHECK (length(topic) > 0 AND length(topic) < 128)
);
INSERT INTO "river_notification" VALUES(1,'2026-11-25 03:36:12.111','{"queue": "default"}','river_insert');
CREATE TABLE river_queue (
    name text PRIMARY KEY NOT NULL,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    metadata blob NOT NULL DEFAULT (jsonb('{}')),
    paused_at timestamp,
    updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE scans (
	submission TEXT NOT NULL,
	round BIGINT NOT NULL,
	scanner TEXT NOT NULL,
	state TEXT NOT NULL,
	report TEXT NOT NULL,
	detail TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	started BIGINT NOT NULL,
	finished BIGINT NOT NULL,
	PRIMARY KEY (submission, round, scanner)
);
CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE scores (
	plugin TEXT NOT NULL PRIMARY KEY CHECK (plugin <> ''),
	s1 BIGINT NOT NULL,
	s2 BIGINT NOT NULL,
	s3 BIGINT NOT NULL,
	s4 BIGINT NOT NULL,
	s5 BIGINT NOT NULL
);
CREATE TABLE sessions (
	hash TEXT NOT NULL PRIMARY KEY CHECK (hash <> ''),
	account TEXT NOT NULL,
	created BIGINT NOT NULL,
	seen BIGINT NOT NULL,
	fresh BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	agent TEXT NOT NULL
);
CREATE TABLE settings (
	name TEXT NOT NULL PRIMARY KEY CHECK (name <> ''),
	rev BIGINT NOT NULL,
	value TEXT NOT NULL
);
CREATE TABLE signers (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	publisher TEXT NOT NULL,
	public_key TEXT NOT NULL,
	issuer TEXT NOT NULL,
	subject TEXT NOT NULL,
	valid_from BIGINT NOT NULL,
	valid_until BIGINT NOT NULL,
	revoked BIGINT NOT NULL,
	reason TEXT NOT NULL,
	added BIGINT NOT NULL,
	added_by TEXT NOT NULL
);
CREATE TABLE submissions (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	rev BIGINT NOT NULL,
	plugin TEXT NOT NULL,
	version TEXT NOT NULL,
	publisher TEXT NOT NULL,
	digest TEXT NOT NULL,
	channel TEXT NOT NULL,
	notes TEXT NOT NULL,
	notes_text TEXT NOT NULL,
	manifest TEXT NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	round BIGINT NOT NULL,
	created_by TEXT NOT NULL,
	via TEXT NOT NULL,
	signer TEXT NOT NULL,
	risk BIGINT NOT NULL,
	grew BIGINT NOT NULL,
	needs BIGINT NOT NULL,
	problems TEXT NOT NULL,
	diff TEXT NOT NULL,
	percent BIGINT NOT NULL CHECK (percent BETWEEN 0 AND 100),
	bundle TEXT NOT NULL,
	serial BIGINT NOT NULL,
	created BIGINT NOT NULL,
	submitted BIGINT NOT NULL,
	updated BIGINT NOT NULL
);
INSERT INTO "submissions" VALUES('sub_1',1,'acme/backup','1.0.0','acme','','','','','{"id":"acme/backup"}','submitted','',0,'','','',0,0,0,'','',0,'',0,1767323045000006,0,0);
CREATE TABLE tallied (
	day BIGINT NOT NULL,
	once TEXT NOT NULL,
	PRIMARY KEY (day, once)
);
CREATE TABLE tallies (
	kind TEXT NOT NULL,
	plugin TEXT NOT NULL,
	day BIGINT NOT NULL,
	version TEXT NOT NULL,
	detail TEXT NOT NULL,
	n BIGINT NOT NULL,
	PRIMARY KEY (kind, plugin, day, version, detail)
);
INSERT INTO "tallies" VALUES('download','acme/backup',20455,'1.0.0','',7);
CREATE TABLE tokens (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	hash TEXT NOT NULL UNIQUE,
	kind TEXT NOT NULL,
	account TEXT NOT NULL,
	name TEXT NOT NULL,
	hint TEXT NOT NULL,
	publisher TEXT NOT NULL,
	plugin TEXT NOT NULL,
	verbs TEXT NOT NULL,
	workload TEXT NOT NULL,
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	used BIGINT NOT NULL,
	revoked BIGINT NOT NULL
);
CREATE TABLE transfers (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	rev BIGINT NOT NULL,
	publisher TEXT NOT NULL,
	from_account TEXT NOT NULL,
	to_account TEXT NOT NULL,
	state TEXT NOT NULL,
	statement TEXT NOT NULL,
	bundle TEXT NOT NULL,
	signer TEXT NOT NULL,
	created BIGINT NOT NULL,
	effective BIGINT NOT NULL
);
CREATE TABLE trusted (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	publisher TEXT NOT NULL,
	plugin TEXT NOT NULL,
	issuer TEXT NOT NULL,
	repository TEXT NOT NULL,
	repository_id TEXT NOT NULL,
	owner_id TEXT NOT NULL,
	workflow TEXT NOT NULL,
	environment TEXT NOT NULL,
	ref TEXT NOT NULL,
	added_by TEXT NOT NULL,
	added BIGINT NOT NULL,
	used BIGINT NOT NULL
);
CREATE TABLE votes (
	plugin TEXT NOT NULL,
	author TEXT NOT NULL,
	voter TEXT NOT NULL,
	created BIGINT NOT NULL,
	PRIMARY KEY (plugin, author, voter)
);
CREATE INDEX accounts_created ON accounts (created, id);
CREATE INDEX accounts_state ON accounts (state, id);
CREATE INDEX identities_account ON identities (account);
CREATE INDEX passkeys_account ON passkeys (account);
CREATE INDEX sessions_account ON sessions (account, created);
CREATE INDEX sessions_expires ON sessions (expires);
CREATE INDEX tokens_account ON tokens (account, created);
CREATE INDEX tokens_publisher ON tokens (publisher, created);
CREATE INDEX tokens_expires ON tokens (expires);
CREATE INDEX panels_account ON panels (account, linked);
CREATE INDEX panels_token ON panels (token);
CREATE INDEX devices_expires ON devices (expires);
CREATE INDEX onces_expires ON onces (expires);
CREATE INDEX publishers_created ON publishers (created, namespace);
CREATE INDEX members_account ON members (account);
CREATE INDEX proofs_publisher ON proofs (publisher);
CREATE INDEX proofs_due ON proofs (due);
CREATE INDEX signers_publisher ON signers (publisher);
CREATE INDEX trusted_publisher ON trusted (publisher);
CREATE INDEX trusted_repository ON trusted (issuer, repository);
CREATE INDEX transfers_publisher ON transfers (publisher, state);
CREATE INDEX transfers_to ON transfers (to_account, state);
CREATE INDEX transfers_effective ON transfers (state, effective);
CREATE INDEX plugins_publisher ON plugins (publisher, updated);
CREATE INDEX plugins_state ON plugins (state, updated, id);
CREATE INDEX plugins_featured ON plugins (featured, id);
CREATE INDEX releases_plugin ON releases (plugin, published);
CREATE INDEX releases_publisher ON releases (publisher, published);
CREATE INDEX releases_published ON releases (published);
CREATE INDEX releases_submission ON releases (submission);
CREATE INDEX releases_digest ON releases (digest);
CREATE INDEX releases_content ON releases (content);
CREATE INDEX submissions_queue ON submissions (state, risk, submitted);
CREATE INDEX submissions_state ON submissions (state, updated);
CREATE INDEX submissions_plugin ON submissions (plugin, version);
CREATE INDEX submissions_publisher ON submissions (publisher, created);
CREATE INDEX submissions_by ON submissions (created_by, created);
CREATE INDEX scans_state ON scans (state, started);
CREATE INDEX reviews_submission ON reviews (submission, round);
CREATE INDEX reviews_reviewer ON reviews (reviewer, created);
CREATE INDEX comments_submission ON comments (submission, created);
CREATE INDEX comments_author ON comments (author);
CREATE INDEX ratings_helpful ON ratings (plugin, state, helpful);
CREATE INDEX ratings_updated ON ratings (plugin, state, updated);
CREATE INDEX ratings_created ON ratings (plugin, created);
CREATE INDEX ratings_account ON ratings (account, updated);
CREATE INDEX votes_voter ON votes (voter, plugin);
CREATE INDEX reports_state ON reports (state, created);
CREATE INDEX reports_subject ON reports (kind, subject);
CREATE INDEX reports_publisher ON reports (publisher, created);
CREATE INDEX reports_by ON reports (created_by, created);
CREATE INDEX decisions_subject ON decisions (subject_kind, subject, created);
CREATE INDEX decisions_publisher ON decisions (publisher, created);
CREATE INDEX decisions_created ON decisions (created);
CREATE INDEX appeals_state ON appeals (state, created);
CREATE INDEX appeals_subject ON appeals (subject);
CREATE INDEX appeals_by ON appeals (created_by, created);
CREATE INDEX advisories_publisher ON advisories (publisher, created);
CREATE INDEX advisories_plugin ON advisories (plugin, created);
CREATE INDEX advisories_created ON advisories (created);
CREATE INDEX audit_target ON audit (target, seq);
CREATE INDEX audit_actor ON audit (actor, seq);
CREATE INDEX audit_action ON audit (action, seq);
CREATE INDEX events_public ON events (public, seq);
CREATE INDEX events_publisher ON events (publisher, seq);
CREATE INDEX events_plugin ON events (plugin, seq);
CREATE INDEX hooks_account ON hooks (account, created);
CREATE INDEX hooks_publisher ON hooks (publisher, enabled);
CREATE INDEX deliveries_hook ON deliveries (hook, created);
CREATE INDEX deliveries_event ON deliveries (event);
CREATE INDEX deliveries_created ON deliveries (created);
CREATE INDEX notices_account ON notices (account, read_at, created);
CREATE INDEX notices_created ON notices (created);
CREATE INDEX tallies_day ON tallies (kind, day);
CREATE TRIGGER audit_update BEFORE UPDATE ON audit
BEGIN
	SELECT RAISE(ABORT, 'the audit log can only be added to');
END;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit
BEGIN
	SELECT RAISE(ABORT, 'the audit log can only be added to');
END;
CREATE INDEX river_notification_created_at_idx ON river_notification (created_at);
CREATE INDEX river_notification_topic_id_idx ON river_notification (topic, id);
CREATE INDEX river_job_kind ON river_job (kind);
CREATE INDEX river_job_state_and_finalized_at_index ON river_job (state, finalized_at) WHERE finalized_at IS NOT NULL;
CREATE INDEX river_job_prioritized_fetching_index ON river_job (state, queue, priority, scheduled_at, id);
CREATE UNIQUE INDEX river_job_unique_idx ON river_job (unique_key)
    WHERE unique_key IS NOT NULL
        AND unique_states IS NOT NULL
        AND CASE state
            WHEN 'available' THEN unique_states & (1 << 0)
            WHEN 'cancelled' THEN unique_states & (1 << 1)
            WHEN 'completed' THEN unique_states & (1 << 2)
            WHEN 'discarded' THEN unique_states & (1 << 3)
            WHEN 'pending'   THEN unique_states & (1 << 4)
            WHEN 'retryable' THEN unique_states & (1 << 5)
            WHEN 'running'   THEN unique_states & (1 << 6)
            WHEN 'scheduled' THEN unique_states & (1 << 7)
            ELSE 0
        END >= 1;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('river_job',2);
INSERT INTO "sqlite_sequence" VALUES('audit',1);
INSERT INTO "sqlite_sequence" VALUES('changes',1);
INSERT INTO "sqlite_sequence" VALUES('river_notification',1);
COMMIT;
