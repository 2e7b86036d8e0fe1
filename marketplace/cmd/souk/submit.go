package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/verify"
)

type submitOptions struct {
	hubOptions
	sign    signOptions
	notes   string
	percent int
	wait    bool
	strict  bool
}

// candidate is what is to be submitted.
type candidate struct {
	catalog.Ref
	pkg    string // directory that problems are told of; empty for a layout
	layout *publish.Layout
	notes  publish.Notes
}

func (a *app) submit(ctx context.Context, target string, o submitOptions, asJSON bool) error {
	if o.percent < 0 || o.percent > 100 {
		return usage("--percent must be between 1 and 100")
	}
	one, files, err := a.candidate(ctx, target)
	if err != nil {
		return err
	}
	if o.want == "" {
		o.want = string(one.Plugin)
	}
	d, err := a.connect(ctx, o.hubOptions)
	if err != nil {
		return err
	}
	// Read once: one of them may be published at any moment.
	releases, err := d.Releases(ctx, one.Plugin)
	if err != nil && !errors.Is(err, hub.ErrNotFound) { // which is the first one
		return hubAdvice(err, d.Address())
	}
	if out, err := a.published(ctx, releases, one, files); err != nil || out {
		return err
	}
	if err := a.prepare(ctx, d, releases, one, files, o); err != nil {
		return err
	}
	s := submitting{app: a, desk: d, candidate: one, percent: o.percent}
	sub, err := s.run(ctx)
	if err != nil {
		return err
	}
	if s.blind {
		a.say("handed in as %s; this token cannot read what comes of it: it is at %s/submissions/%s, and in `souk status %s` with a token of yours", sub.ID, d.Address(), sub.ID, sub.ID)
		return a.print("%s", sub.ID)
	}
	return a.follow(ctx, d, sub.ID, one.pkg, o.wait, asJSON)
}

// candidate opens a plugin's directory or image layout, with the files in it.
func (a *app) candidate(ctx context.Context, target string) (*candidate, fs.FS, error) {
	if publish.IsLayout(os.DirFS(target)) {
		l, err := readLayout(ctx, target)
		if err != nil {
			return nil, nil, err
		}
		p := l.Package
		content, err := p.Open(p.Artifact.Content.Digest)
		if err != nil {
			return nil, nil, err
		}
		files, err := publish.Unpack(ctx, content, &p.Artifact, publish.PackOptions{})
		return &candidate{Ref: catalog.Ref{Plugin: p.Manifest.ID, Version: p.Manifest.Version}, layout: l}, files, errors.Join(err, content.Close())
	}
	pkg, err := packageDir(target)
	if err != nil {
		return nil, nil, err
	}
	m := readManifest(pkg)
	if m.ID == "" { // not valid: the check says all that is wrong
		problems, err := a.problems(ctx, pkg, checkOptions{})
		if err == nil {
			err = a.tell(pkg, problems)
		}
		if err == nil {
			err = errFound
		}
		return nil, nil, err
	}
	return &candidate{Ref: catalog.Ref{Plugin: m.ID, Version: m.Version}, pkg: pkg}, os.DirFS(pkg), nil
}

// published reports whether this very package is out already. Another one of the same
// version is for the check to tell.
func (a *app) published(ctx context.Context, releases []hub.Release, one *candidate, files fs.FS) (bool, error) {
	i := slices.IndexFunc(releases, func(r hub.Release) bool { return r.Version == one.Version })
	if i < 0 {
		return false, nil
	}
	l := one.layout
	if l == nil {
		p, err := publish.Pack(ctx, files, publish.PackOptions{})
		if err != nil {
			return false, ctx.Err() // the check says what is wrong
		}
		l = &publish.Layout{Package: p}
	}
	if releases[i].Digest != string(l.Package.OCI.Digest) {
		return false, nil
	}
	a.say("%s is published already, with this very package", one.Ref)
	return true, a.print("%s", releases[i].Submission)
}

// prepare holds the candidate to the hub's rules, packs it and signs it.
func (a *app) prepare(ctx context.Context, d *desk, releases []hub.Release, one *candidate, files fs.FS, o submitOptions) error {
	who, err := d.Publisher(ctx, one.Plugin.Publisher())
	if errors.Is(err, hub.ErrNotFound) {
		return advise(fmt.Errorf("there is no publisher %s at %s", one.Plugin.Publisher(), d.Address()), "make it at %s/publish, with the key that you sign with", d.Address())
	}
	if err != nil {
		return hubAdvice(err, d.Address())
	}
	in, err := d.rules(ctx, one.Plugin, releases)
	if err != nil {
		return hubAdvice(err, d.Address())
	}
	in.Files = files
	if one.notes, err = notesOf(files, one, o.notes); err != nil {
		return err
	}
	if !one.notes.Empty() {
		in.Notes = &one.notes
	}
	if one.layout != nil {
		in.Manifest = &one.layout.Package.Manifest
	}
	var problems []publish.Problem
	err = a.during(ctx, "checking", func(ctx context.Context) error {
		problems = publish.Validate(ctx, in)
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	if err := a.tell(one.pkg, problems); err != nil {
		return err
	}
	if publish.HasErrors(problems) || o.strict && len(problems) > 0 {
		a.say("%s was not submitted: see the problems above", one.Ref)
		return errFound
	}
	return a.signed(ctx, d, one, files, who, o)
}

// signed makes the layout of a directory, and sees to it that there is a signature that the
// hub will accept.
func (a *app) signed(ctx context.Context, d *desk, one *candidate, files fs.FS, who client.Publisher, o submitOptions) error {
	sign := o.sign.key != "" || o.sign.token != ""
	if one.layout != nil && !sign {
		if len(one.layout.Bundles) == 0 {
			return advise(errors.New("the layout is not signed"), "give --key, or sign it with `souk sign`")
		}
		return nil
	}
	signer, err := o.sign.signer(ctx)
	if err != nil {
		return err
	}
	if !mayBeSignedBy(who, signer.Identity(), a.now()) {
		return advise(fmt.Errorf("%s is not among those who may sign for %s", signer.Identity().ID(), one.Plugin.Publisher()),
			"an owner adds it at %s/publish/%s/signers (of a key the file <name>.pub.pem)", d.Address(), one.Plugin.Publisher())
	}
	return a.during(ctx, "packing and signing", func(ctx context.Context) error {
		if one.layout == nil {
			p, err := publish.Pack(ctx, files, publish.PackOptions{})
			if err != nil {
				return err
			}
			one.layout = &publish.Layout{Package: p}
		}
		return one.layout.Sign(ctx, signer)
	})
}

func mayBeSignedBy(who client.Publisher, id verify.Identity, now time.Time) bool {
	for _, s := range who.Signers {
		if s.Catalog().Identity == id && s.Revoked.IsZero() && (s.Until.IsZero() || now.Before(s.Until)) {
			return true
		}
	}
	return false
}

// rules returns what the hub holds a release of the plugin to, which has these so far.
func (d *desk) rules(ctx context.Context, id catalog.PluginID, releases []hub.Release) (in publish.Input, err error) {
	for _, r := range releases {
		m, err := catalog.ParseManifest(r.Manifest)
		if err != nil {
			return in, fmt.Errorf("the hub's %s: %w", r.Ref(), err)
		}
		in.Previous = append(in.Previous, catalog.Release{Ref: catalog.Ref{Plugin: id, Version: r.Version}, State: r.State, Manifest: m})
	}
	categories, err := d.Categories(ctx)
	if err != nil {
		return in, err
	}
	for _, c := range categories {
		in.Categories = append(in.Categories, c.Slug)
	}
	reserved, err := d.Reserved(ctx)
	for _, r := range reserved {
		if r.Name != id.Publisher() && len(releases) == 0 { // who has a name keeps it
			in.Reserved = append(in.Reserved, publish.Reservation{Name: r.Name, Reason: r.Reason})
		}
	}
	return in, err
}

// notesOf returns the release notes: of the file, if one is given, else of the changelog. A
// changelog that does not have them is for the check to tell.
func notesOf(files fs.FS, one *candidate, file string) (publish.Notes, error) {
	if file != "" {
		b, err := readFile(file, catalog.MaxMedia)
		if err != nil {
			return publish.Notes{}, err
		}
		n, err := publish.ParseNotes(string(b))
		if err != nil {
			err = fmt.Errorf("%s: %w", file, err)
		}
		return n, err
	}
	m := catalog.Manifest{}
	if one.layout != nil {
		m = one.layout.Package.Manifest
	} else {
		m = readManifest(one.pkg)
	}
	if m.Changelog == "" {
		return publish.Notes{}, nil
	}
	f, err := files.Open(filepath.ToSlash(m.Changelog))
	if err != nil {
		return publish.Notes{}, nil // the check says so
	}
	b, err := io.ReadAll(io.LimitReader(f, catalog.MaxMedia))
	if err = errors.Join(err, f.Close()); err != nil {
		return publish.Notes{}, err
	}
	n, err := publish.FindNotes(b, one.Version)
	if err != nil {
		return publish.Notes{}, nil // likewise, with the line
	}
	return n, nil
}

// submitting is one submission under way. Each step looks at what is there first, so that
// it can be run again after anything.
type submitting struct {
	*app
	desk *desk
	*candidate
	percent int

	blind bool // the token may not read submissions, as that of a CI job
}

func (s *submitting) run(ctx context.Context) (sub hub.Submission, err error) {
	digest := s.layout.Package.OCI.Digest
	advised := func(err error) error { return hubAdvice(err, s.desk.Address()) }
	if sub, err = s.find(ctx); err != nil {
		return sub, advised(err)
	}
	switch sub.State {
	case hub.StateRejected, hub.StateWithdrawn: // the version is free again
		sub = hub.Submission{}
	}
	switch {
	case sub.ID == "", sub.State == hub.StateDraft, sub.State == hub.StateNeedsChanges:
	case sub.Digest == string(digest):
		s.say("%s was submitted already, as %s", s.Ref, sub.ID)
		return sub, nil
	default:
		return sub, advise(fmt.Errorf("%s is %s, with another package", s.Ref, words(sub.State)),
			"wait for what comes of it (`souk status %s`), withdraw it (`souk withdraw %s`), or raise the version", sub.ID, sub.ID)
	}
	if err := s.push(ctx); err != nil {
		return sub, err
	}
	if sub.ID == "" {
		sub, err = s.desk.CreateSubmission(ctx, client.NewSubmission{Plugin: s.Plugin, Version: s.Version, Notes: s.notes, Percent: s.percent})
		if id := idIn(err); id != "" { // of an earlier run, when the token cannot read
			sub, err = s.desk.Revise(ctx, id, s.notes, s.percent)
		}
	} else {
		sub, err = s.desk.Revise(ctx, sub.ID, s.notes, s.percent)
	}
	if err != nil {
		return sub, advised(err)
	}
	s.say("named it %s, a draft until it is handed in", sub.ID)
	if sub, err = s.desk.Submit(ctx, sub.ID, digest); err != nil {
		return sub, advised(err)
	}
	s.say("submitted %s as %s, round %d", s.Ref, sub.ID, sub.Round)
	return sub, nil
}

// find returns the newest submission of the version; zero when there is none, or the token
// may not see it.
func (s *submitting) find(ctx context.Context) (hub.Submission, error) {
	sub, err := s.desk.latest(ctx, s.Ref)
	switch {
	case errors.Is(err, hub.ErrNotFound), errors.Is(err, hub.ErrForbidden):
		s.blind = true
		return hub.Submission{}, nil
	}
	return sub, err
}

// maxPages bounds how far back in a plugin's submissions one looks.
const maxPages = 20

// latest returns the newest submission of a version; the zero one when there is none.
func (d *desk) latest(ctx context.Context, ref catalog.Ref) (hub.Submission, error) {
	cursor := ""
	for range maxPages {
		page, err := d.Submissions(ctx, ref.Plugin, cursor)
		if err != nil {
			return hub.Submission{}, err
		}
		for _, sub := range page.Items {
			if sub.Version == ref.Version {
				return sub, nil
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	return hub.Submission{}, nil
}

var submissionID = regexp.MustCompile(`\bsub_[0-9a-z]{26}\b`)

// idIn returns the submission that stands in the way, which the hub names.
func idIn(err error) string {
	var p *client.Problem
	if !errors.Is(err, hub.ErrExists) || !errors.As(err, &p) {
		return ""
	}
	return submissionID.FindString(p.Detail)
}

// push puts the package with its signatures into the hub's staging repository.
func (s *submitting) push(ctx context.Context) error {
	about, err := s.desk.About(ctx)
	if err != nil {
		return hubAdvice(err, s.desk.Address())
	}
	p, err := oci.NewPusher(about.Registry, s.desk.registry(about.Registry))
	if err != nil {
		return fmt.Errorf("the hub's registry: %w", err)
	}
	m := &meter{Pusher: p}
	for _, b := range s.layout.Package.Blobs {
		m.total += b.Size
	}
	err = s.progress(ctx, m.text, func(ctx context.Context) error { return s.layout.Push(ctx, m, staging) })
	if err = errors.Join(err, p.Close()); err != nil {
		if errors.Is(err, oci.ErrUnauthorized) {
			return advise(err, "the token may not push for %s: it needs the scope push, and its account has to be a member of the publisher", s.Plugin)
		}
		return pushAdvice(err, about.Registry)
	}
	s.say("pushed %s: %s, of which %s were there already", s.Ref, bytesText(m.total), bytesText(m.total-m.sent.Load()))
	return nil
}

// pushAdvice says what helps against what the hub's registry answers.
func pushAdvice(err error, registry string) error {
	if errors.Is(err, catalog.ErrUnavailable) {
		return advise(err, "the registry %s does not answer; run it again when it does: what is there already is not sent again", registry)
	}
	return err
}

// staging is where the hub's registry takes what is to be reviewed.
const staging = "staging"

// meter counts the bytes that are pushed.
type meter struct {
	*oci.Pusher
	total int64
	sent  atomic.Int64
}

func (m *meter) text() string {
	return fmt.Sprintf("pushing, %s of %s", bytesText(m.sent.Load()), bytesText(m.total))
}

// PushBlob counts what is read of the blob; a repetition counts anew.
func (m *meter) PushBlob(ctx context.Context, repo string, d catalog.Descriptor, open func() (io.ReadCloser, error)) error {
	var read atomic.Int64
	return m.Pusher.PushBlob(ctx, repo, d, func() (io.ReadCloser, error) {
		m.sent.Add(-read.Swap(0))
		r, err := open()
		if err != nil {
			return nil, err
		}
		return &metered{r, func(n int) { read.Add(int64(n)); m.sent.Add(int64(n)) }}, nil
	})
}

type metered struct {
	io.ReadCloser
	count func(n int)
}

func (r *metered) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.count(n)
	return n, err
}
