package portal_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
)

func TestReviewQueue(t *testing.T) {
	o := newOffice(t)
	page := pageWords(o.page(o.rosa, "/review"))
	for _, s := range []string{
		"1 submission waits", "acme/backup 1.1.0", "Acme (acme) not verified", "submitted by Olga Owner", "grew", "It asks for more than 1.0.0",
		"secrets clean", "0 of 2",
	} {
		assert.Contains(t, page, s)
	}
	assert.Contains(t, pageWords(o.page(o.rosa, "/review?show=scan")), "None of them fits")
	assert.Contains(t, pageWords(o.page(o.rosa, "/review?show=mine&sort=age")), "acme/backup 1.1.0")
	assert.Contains(t, pageWords(o.page(o.ada, "/review?show=mine")), "None of them fits", "an administrator decides nothing here")
	assert.Contains(t, pageWords(o.page(o.rosa, "/review/all?state=published")), "acme/backup 1.0.0")
	assert.Contains(t, pageWords(o.page(o.rosa, "/review/all?find=nobody")), "Nothing found")
	assert.Equal(t, http.StatusUnprocessableEntity, o.get(o.rosa, "/review/all?state=strange").Status)
	assert.Equal(t, http.StatusUnprocessableEntity, o.get(o.rosa, "/review/all?after=strange").Status)

	o.posted(o.rosa, "/review/"+o.sub.ID+"/decide", "round", "1", "digest", o.sub.Digest, "verdict", "reject", "text", "No.")
	assert.Contains(t, pageWords(o.page(o.rosa, "/review")), "The queue is empty")
}

func TestReviewPage(t *testing.T) {
	o := newOffice(t)
	at := "/review/" + o.sub.ID
	page := pageWords(o.page(o.rosa, at))
	for _, s := range []string{
		"acme/backup 1.1.0", "What speaks against it", "It asks for more than 1.0.0: net.out:backup.acme.example:443.",
		"Added Can send data to backup.acme.example", "The publisher says: “To send backups away.”", "Changes since 1.0.0", "files differ",
		"plugin.json", "secrets", "semver-permission", "Verified when it was validated", "On the publisher’s list since", o.sub.Digest,
		"2 people have to approve.", "0 of 2 approved", "Record the decision", "Olga Owner submitted it", "Scanner secrets said: clean",
		"Backups can be sent away.", "the same", "signed once it is approved",
	} {
		assert.Contains(t, page, s)
	}
	assert.Contains(t, pageWords(o.page(o.ada, at)), "Only reviewers decide.")
	assert.NotContains(t, pageWords(o.page(o.ada, at)), "Record the decision")
	assert.Contains(t, o.page(o.rosa, at+"?file=index.html"), `name="file" value="index.html"`)

	// Who belongs to the publisher is told why they cannot decide, and cannot.
	o.write(func(tx hub.Tx) error {
		return tx.Members().Put(t.Context(), &hub.Member{Publisher: "acme", Account: o.rick.Account, Role: hub.MemberMaintainer})
	})
	assert.Contains(t, pageWords(o.page(o.rick, at)), "You belong to Acme")
	assert.Contains(t, pageWords(o.page(o.rick, "/review")), "yours: somebody else decides")
	assert.Equal(t, http.StatusForbidden, o.post(o.rick, at+"/decide", "round", "1", "digest", o.sub.Digest, "verdict", "approve").Status)
}

func TestReviewDecides(t *testing.T) {
	o := newOffice(t)
	at := "/review/" + o.sub.ID
	ok := []string{"round", "1", "digest", o.sub.Digest, "verdict", "approve", "text", "Fine."}

	assert.Equal(t, http.StatusPreconditionFailed, o.post(o.rosa, at+"/decide", "round", "2", "digest", o.sub.Digest, "verdict", "approve").Status, "another round")
	assert.Equal(t, http.StatusPreconditionFailed, o.post(o.rosa, at+"/decide", "round", "1", "digest", "sha256:0", "verdict", "approve").Status, "another digest")
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.rosa, at+"/decide", "round", "1", "digest", o.sub.Digest, "verdict", "reject").Status, "no reason")
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.rosa, at+"/decide", "round", "one", "digest", o.sub.Digest, "verdict", "approve").Status)
	require.Equal(t, hub.StateInReview, o.submission().State)

	a := o.posted(o.rosa, at+"/decide", ok...)
	assert.Equal(t, at, a.To())
	page := pageWords(o.page(o.rosa, at+"?done=decided"))
	assert.Contains(t, page, "Your decision is recorded.")
	assert.Contains(t, page, "You approved it. It waits for another person.")
	assert.Contains(t, page, "1 of 2 approved")
	assert.Contains(t, pageWords(o.page(o.rosa, "/review")), "1 of 2 you did")
	require.Equal(t, hub.StateInReview, o.submission().State)

	o.posted(o.rick, at+"/decide", ok...)
	_, err := o.Settle(t.Context(), o.olga, o.sub.ID)
	require.NoError(t, err)
	assert.Equal(t, hub.StatePublished, o.submission().State)
	assert.Contains(t, pageWords(o.page(o.rosa, at)), "There is nothing to decide: it is published.")
	assert.Equal(t, http.StatusConflict, o.post(o.rosa, at+"/decide", ok...).Status)
}

func TestReviewAsksForChanges(t *testing.T) {
	o := newOffice(t)
	o.posted(o.rosa, "/review/"+o.sub.ID+"/decide", "round", "1", "digest", o.sub.Digest, "verdict", "changes", "text", "Say what is sent.\r\nAnd when.")
	s := o.submission()
	assert.Equal(t, hub.StateNeedsChanges, s.State)
	assert.Equal(t, "Say what is sent.\nAnd when.", s.Reason)
}

func TestReviewRemarks(t *testing.T) {
	o := newOffice(t)
	at := "/review/" + o.sub.ID
	o.posted(o.rosa, at+"/comment", "text", "What is this?", "file", "index.html", "line", "3")
	o.posted(o.rosa, at+"/comment", "text", "I know them.", "internal", "1")
	o.posted(o.ada, at+"/comment", "text", "Looks odd.", "internal", "1")
	page := pageWords(o.page(o.rosa, at))
	for _, s := range []string{"index.html", "What is this?", "line 3", "I know them.", "among reviewers", "Rosa Review remarked on index.html:3"} {
		assert.Contains(t, page, s)
	}
	d, err := o.Hub.Publishing.Submission(t.Context(), o.Actor(o.olga), o.sub.ID)
	require.NoError(t, err)
	require.Len(t, d.Comments, 1, "the publisher sees what is for it")
	assert.Equal(t, "What is this?", d.Comments[0].Text)

	for name, form := range map[string][]string{
		"empty": {"text", " "}, "line without file": {"text", "x", "line", "3"}, "file that leads out": {"text", "x", "file", "../x"},
		"line that is none": {"text", "x", "file", "a", "line", "three"}, "text that turns around": {"text", "a\u202eb"},
	} {
		assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.rosa, at+"/comment", form...).Status, name)
	}
	assert.Equal(t, http.StatusForbidden, o.post(o.ada, at+"/comment", "text", "not for publishers to read").Status, "an administrator remarks internally only")
}

func TestReviewScanError(t *testing.T) {
	o := newOffice(t)
	at := "/review/" + o.sub.ID
	broken := func() {
		o.write(func(tx hub.Tx) error {
			s, err := tx.Submissions().Get(t.Context(), o.sub.ID)
			if err != nil {
				return err
			}
			s.State, s.Reason = hub.StateScanError, "the scanner native took too long"
			if err := tx.Submissions().Update(t.Context(), &s); err != nil {
				return err
			}
			c, err := tx.Scans().Get(t.Context(), s.ID, s.Round, "native")
			if err != nil {
				return err
			}
			c.State, c.Detail, c.Attempts = hub.ScanError, "took too long", 3
			return tx.Scans().Put(t.Context(), &c)
		})
	}
	broken()
	page := pageWords(o.page(o.rosa, at))
	assert.Contains(t, page, "Not every scanner came to its end")
	assert.Contains(t, page, "took too long")
	assert.Contains(t, page, "Scan again")
	assert.NotContains(t, page, "Record the decision")
	assert.Contains(t, pageWords(o.page(o.rosa, "/review?show=scan")), "went wrong")
	assert.NotContains(t, pageWords(o.page(o.mo, at)), "Scan again", "a moderator looks")

	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.rosa, at+"/take", "round", "1").Status, "no reason")
	assert.Equal(t, http.StatusPreconditionFailed, o.post(o.rosa, at+"/take", "round", "7", "reason", "x").Status)
	o.posted(o.rosa, at+"/take", "round", "1", "reason", "The scanner is down, and we looked by hand.")
	s := o.submission()
	assert.Equal(t, hub.StateInReview, s.State)
	assert.Equal(t, 2, s.Needs)
	assert.Contains(t, pageWords(o.page(o.rosa, at)), "not every scan could be made")

	broken()
	o.posted(o.rosa, at+"/retry")
	d, err := o.Settle(t.Context(), o.olga, o.sub.ID)
	require.NoError(t, err)
	assert.Equal(t, hub.StateInReview, d.State)
}

func TestReviewShowsFindings(t *testing.T) {
	o := newOffice(t)
	o.write(func(tx hub.Tx) error {
		c, err := tx.Scans().Get(t.Context(), o.sub.ID, 1, "secrets")
		if err != nil {
			return err
		}
		c.State, c.Detail = hub.ScanFound, "private key"
		c.Report = json.RawMessage(`{"scanner":"secrets","version":"1","verdict":"fail","files":3,"bytes":2048,"dropped":4,"findings":[
			{"rule":"secret-private-key","severity":"critical","confidence":"high","file":"conf/key.pem","line":12,"title":"private key","detail":"An RSA key.","advice":"Take it out and make another."}]}`)
		return tx.Scans().Put(t.Context(), &c)
	})
	o.write(func(tx hub.Tx) error {
		s, err := tx.Submissions().Get(t.Context(), o.sub.ID)
		if err != nil {
			return err
		}
		s.Problems = json.RawMessage(`[{"severity":"warning","file":"CHANGELOG.md","line":7,"rule":"notes-breaking","message":"a breaking note without a major version","advice":"Make it 2.0.0."}]`)
		return tx.Submissions().Update(t.Context(), &s)
	})
	page := pageWords(o.page(o.rosa, "/review/"+o.sub.ID))
	for _, s := range []string{
		"critical private key blocks", "conf/key.pem:12", "An RSA key.", "What to do: Take it out and make another.", "secret-private-key", "how sure: high",
		"4 more findings", "3 files of 2 KiB looked at|3 files", "CHANGELOG.md:7", "a breaking note without a major version", "Make it 2.0.0.", "notes-breaking",
	} {
		assert.Regexp(t, s, page)
	}
}

func TestReviewPages(t *testing.T) {
	o := newOffice(t)
	o.write(func(tx hub.Tx) error {
		for i := range 45 {
			s := o.sub.Submission
			s.ID, s.Rev, s.Version, s.Risk = "sub_made"+strconv.Itoa(100+i), 0, "2.0."+strconv.Itoa(i), i
			if err := tx.Submissions().Insert(t.Context(), &s); err != nil {
				return err
			}
		}
		return nil
	})
	first := o.page(o.rosa, "/review")
	assert.Contains(t, pageWords(first), "46 submissions wait")
	assert.Contains(t, first, `href="/review?from=20"`)
	last := o.page(o.rosa, "/review?from=40")
	assert.NotContains(t, last, "Next page")
	assert.Contains(t, pageWords(o.page(o.rosa, "/review?from=-3")), "46 submissions wait")
	all := o.page(o.rosa, "/review/all")
	assert.Contains(t, all, "Next page")
}
