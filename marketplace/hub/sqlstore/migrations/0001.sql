-- All tables of the first version. TEXT, BIGINT (also times in microseconds since 1970
-- and booleans 0 and 1), DOUBLE PRECISION and AUTONUMBER are all the types there are;
-- package sqlstore replaces TEXT and AUTONUMBER by what the engine calls them.
-- Nothing refers to another table by constraint: names stand in logs for longer than
-- what they named.

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
CREATE INDEX accounts_created ON accounts (created, id);
CREATE INDEX accounts_state ON accounts (state, id);

CREATE TABLE identities (
	issuer TEXT NOT NULL,
	subject TEXT NOT NULL,
	account TEXT NOT NULL,
	email TEXT NOT NULL,
	added BIGINT NOT NULL,
	used BIGINT NOT NULL,
	PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_account ON identities (account);

CREATE TABLE passkeys (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	account TEXT NOT NULL,
	name TEXT NOT NULL,
	data TEXT NOT NULL,
	added BIGINT NOT NULL,
	used BIGINT NOT NULL
);
CREATE INDEX passkeys_account ON passkeys (account);

CREATE TABLE sessions (
	hash TEXT NOT NULL PRIMARY KEY CHECK (hash <> ''),
	account TEXT NOT NULL,
	created BIGINT NOT NULL,
	seen BIGINT NOT NULL,
	fresh BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	agent TEXT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account, created);
CREATE INDEX sessions_expires ON sessions (expires);

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
CREATE INDEX tokens_account ON tokens (account, created);
CREATE INDEX tokens_publisher ON tokens (publisher, created);
CREATE INDEX tokens_expires ON tokens (expires);

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
CREATE INDEX panels_account ON panels (account, linked);
CREATE INDEX panels_token ON panels (token);

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
CREATE INDEX devices_expires ON devices (expires);

CREATE TABLE onces (
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	data TEXT NOT NULL,
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	PRIMARY KEY (kind, name)
);
CREATE INDEX onces_expires ON onces (expires);

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
CREATE INDEX publishers_created ON publishers (created, namespace);

CREATE TABLE members (
	publisher TEXT NOT NULL,
	account TEXT NOT NULL,
	role TEXT NOT NULL,
	added BIGINT NOT NULL,
	PRIMARY KEY (publisher, account)
);
CREATE INDEX members_account ON members (account);

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
CREATE INDEX proofs_publisher ON proofs (publisher);
CREATE INDEX proofs_due ON proofs (due);

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
CREATE INDEX signers_publisher ON signers (publisher);

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
CREATE INDEX trusted_publisher ON trusted (publisher);
CREATE INDEX trusted_repository ON trusted (issuer, repository);

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
CREATE INDEX transfers_publisher ON transfers (publisher, state);
CREATE INDEX transfers_to ON transfers (to_account, state);
CREATE INDEX transfers_effective ON transfers (state, effective);

CREATE TABLE reserved (
	name TEXT NOT NULL PRIMARY KEY CHECK (name <> ''),
	reason TEXT NOT NULL,
	added BIGINT NOT NULL
);

CREATE TABLE categories (
	slug TEXT NOT NULL PRIMARY KEY CHECK (slug <> ''),
	name TEXT NOT NULL,
	summary TEXT NOT NULL,
	position BIGINT NOT NULL
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
CREATE INDEX plugins_publisher ON plugins (publisher, updated);
CREATE INDEX plugins_state ON plugins (state, updated, id);
CREATE INDEX plugins_featured ON plugins (featured, id);

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
CREATE INDEX releases_plugin ON releases (plugin, published);
CREATE INDEX releases_publisher ON releases (publisher, published);
CREATE INDEX releases_published ON releases (published);
CREATE INDEX releases_submission ON releases (submission);
CREATE INDEX releases_digest ON releases (digest);
CREATE INDEX releases_content ON releases (content);

CREATE TABLE changes (
	seq AUTONUMBER,
	plugin TEXT NOT NULL
);

CREATE TABLE catalog (
	id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	rev BIGINT NOT NULL,
	state TEXT NOT NULL,
	serial BIGINT NOT NULL
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
CREATE INDEX submissions_queue ON submissions (state, risk, submitted);
CREATE INDEX submissions_state ON submissions (state, updated);
CREATE INDEX submissions_plugin ON submissions (plugin, version);
CREATE INDEX submissions_publisher ON submissions (publisher, created);
CREATE INDEX submissions_by ON submissions (created_by, created);

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
CREATE INDEX scans_state ON scans (state, started);

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
CREATE INDEX reviews_submission ON reviews (submission, round);
CREATE INDEX reviews_reviewer ON reviews (reviewer, created);

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
CREATE INDEX comments_submission ON comments (submission, created);
CREATE INDEX comments_author ON comments (author);

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
CREATE INDEX ratings_helpful ON ratings (plugin, state, helpful);
CREATE INDEX ratings_updated ON ratings (plugin, state, updated);
CREATE INDEX ratings_created ON ratings (plugin, created);
CREATE INDEX ratings_account ON ratings (account, updated);

CREATE TABLE votes (
	plugin TEXT NOT NULL,
	author TEXT NOT NULL,
	voter TEXT NOT NULL,
	created BIGINT NOT NULL,
	PRIMARY KEY (plugin, author, voter)
);
CREATE INDEX votes_voter ON votes (voter, plugin);

CREATE TABLE scores (
	plugin TEXT NOT NULL PRIMARY KEY CHECK (plugin <> ''),
	s1 BIGINT NOT NULL,
	s2 BIGINT NOT NULL,
	s3 BIGINT NOT NULL,
	s4 BIGINT NOT NULL,
	s5 BIGINT NOT NULL
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
CREATE INDEX reports_state ON reports (state, created);
CREATE INDEX reports_subject ON reports (kind, subject);
CREATE INDEX reports_publisher ON reports (publisher, created);
CREATE INDEX reports_by ON reports (created_by, created);

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
CREATE INDEX decisions_subject ON decisions (subject_kind, subject, created);
CREATE INDEX decisions_publisher ON decisions (publisher, created);
CREATE INDEX decisions_created ON decisions (created);

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
CREATE INDEX appeals_state ON appeals (state, created);
CREATE INDEX appeals_subject ON appeals (subject);
CREATE INDEX appeals_by ON appeals (created_by, created);

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
CREATE INDEX advisories_publisher ON advisories (publisher, created);
CREATE INDEX advisories_plugin ON advisories (plugin, created);
CREATE INDEX advisories_created ON advisories (created);

CREATE TABLE audit (
	seq AUTONUMBER,
	at BIGINT NOT NULL,
	actor TEXT NOT NULL,
	via TEXT NOT NULL,
	action TEXT NOT NULL,
	target TEXT NOT NULL,
	detail TEXT NOT NULL
);
CREATE INDEX audit_target ON audit (target, seq);
CREATE INDEX audit_actor ON audit (actor, seq);
CREATE INDEX audit_action ON audit (action, seq);

CREATE TABLE events (
	seq AUTONUMBER,
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
CREATE INDEX events_public ON events (public, seq);
CREATE INDEX events_publisher ON events (publisher, seq);
CREATE INDEX events_plugin ON events (plugin, seq);

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
CREATE INDEX hooks_account ON hooks (account, created);
CREATE INDEX hooks_publisher ON hooks (publisher, enabled);

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
CREATE INDEX deliveries_hook ON deliveries (hook, created);
CREATE INDEX deliveries_event ON deliveries (event);
CREATE INDEX deliveries_created ON deliveries (created);

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
CREATE INDEX notices_account ON notices (account, read_at, created);
CREATE INDEX notices_created ON notices (created);

CREATE TABLE settings (
	name TEXT NOT NULL PRIMARY KEY CHECK (name <> ''),
	rev BIGINT NOT NULL,
	value TEXT NOT NULL
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
CREATE INDEX tallies_day ON tallies (kind, day);

CREATE TABLE tallied (
	day BIGINT NOT NULL,
	once TEXT NOT NULL,
	PRIMARY KEY (day, once)
);
