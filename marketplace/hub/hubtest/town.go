package hubtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

// Town is a running hub and people who do in it what people do, through its services and
// over HTTP: nothing is written past them but roles, and what lies in the past of a show.
// It is safe for concurrent use.
type Town struct {
	Hub *server.Server

	url       string
	mu        sync.Mutex
	reviewers []*Person
}

// NewTown returns the town of a hub that runs and is reached at url.
func NewTown(s *server.Server, url string) *Town { return &Town{Hub: s, url: url} }

// Issuer is the identity provider that a town's people come from.
const Issuer = "https://id.example.org"

// Person is somebody with an account.
type Person struct {
	Account string
	Name    string
	Cookie  string // value of the session's cookie

	mu    sync.Mutex
	token string
}

// Enrol makes an account with roles, and signs it in.
func (w *Town) Enrol(ctx context.Context, name string, roles ...hub.Role) (*Person, error) {
	subject := strings.ToLower(strings.Join(strings.Fields(name), "."))
	cookie, session, err := w.Hub.Identity.SignIn(ctx, identity.ExternalIdentity{
		Issuer: Issuer, Subject: subject, Name: name, Email: subject + "@example.org", EmailVerified: true,
	}, identity.Browser{UserAgent: "hubtest"})
	if err != nil {
		return nil, err
	}
	if len(roles) > 0 {
		err = w.Hub.Store.Update(ctx, func(tx hub.Tx) error {
			a, err := tx.Accounts().Get(ctx, session.Account)
			if err != nil {
				return err
			}
			a.Roles = roles
			return tx.Accounts().Update(ctx, &a)
		})
	}
	return &Person{Account: session.Account, Name: name, Cookie: cookie}, err
}

// ActorOf returns a person as the services see them.
func (w *Town) ActorOf(ctx context.Context, p *Person) (hub.Actor, error) {
	return w.Hub.Identity.Authenticate(ctx, p.Cookie)
}

// TokenOf returns an API token of the person with all verbs, made once.
func (w *Town) TokenOf(ctx context.Context, p *Person) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token != "" {
		return p.token, nil
	}
	a, err := w.ActorOf(ctx, p)
	if err != nil {
		return "", err
	}
	verbs := slices.DeleteFunc(hub.Verbs(), func(v hub.Verb) bool { return v == hub.VerbPanel })
	p.token, _, err = w.Hub.Identity.CreateToken(ctx, a, identity.NewToken{Name: "everything", Verbs: verbs})
	return p.token, err
}

// ClientOf returns a client that acts for a person.
func (w *Town) ClientOf(ctx context.Context, p *Person) (*client.Client, error) {
	token, err := w.TokenOf(ctx, p)
	if err != nil {
		return nil, err
	}
	return client.New(w.url, client.Options{Token: token})
}

// Publisher is a namespace with its owner and what it signs with: a key, or whatever a
// test puts here.
type Publisher struct {
	Namespace string
	Owner     *Person
	Signer    verify.Signer
}

// Found makes a publisher, with a signer.
func (w *Town) Found(ctx context.Context, owner *Person, namespace string) (*Publisher, error) {
	a, err := w.ActorOf(ctx, owner)
	if err != nil {
		return nil, err
	}
	name := strings.ToUpper(namespace[:1]) + namespace[1:]
	if _, err := w.Hub.Publishing.CreatePublisher(ctx, a, publishing.PublisherEdit{Namespace: namespace, Name: name}); err != nil {
		return nil, err
	}
	key, err := sigstore.GenerateKey()
	if err != nil {
		return nil, err
	}
	signer, err := sigstore.ParseKeySigner(key)
	if err != nil {
		return nil, err
	}
	if a, err = w.ActorOf(ctx, owner); err != nil { // who is a member now
		return nil, err
	}
	_, err = w.Hub.Publishing.AddSigner(ctx, a, namespace, publishing.NewSigner{Key: signer.Identity().Key})
	return &Publisher{Namespace: namespace, Owner: owner, Signer: signer}, err
}

// Plugin is a release to publish.
type Plugin struct {
	Manifest catalog.Manifest
	// Files are the package's, without plugin.json, which is made of Manifest. nil: a
	// README and a licence.
	Files fs.FS
	Notes publish.Notes // zero: one that says what a release is
	// Percent is the rollout; 0: 100.
	Percent int
	// Age is how long ago [Town.Seed] says that it was published, or submitted when it is
	// left in the queue.
	Age time.Duration
}

// Manifest returns a valid manifest of a plugin without code, to be changed as needed.
func Manifest(id catalog.PluginID, version string) catalog.Manifest {
	return catalog.Manifest{
		Format: catalog.ManifestFormat, ID: id, Version: version, Name: id.Name(), Summary: "A plugin for tests.",
		License: "Apache-2.0", Runtime: catalog.Runtime{Kind: catalog.RuntimeStatic}, Docs: "README.md",
	}
}

// Pack packs a plugin.
func Pack(ctx context.Context, x Plugin) (*publish.Package, error) {
	raw, err := json.Marshal(x.Manifest)
	if err != nil {
		return nil, err
	}
	files := fstest.MapFS{}
	if x.Files == nil {
		files["README.md"] = &fstest.MapFile{Data: []byte("# " + x.Manifest.Name + "\n")}
		files["LICENSE"] = &fstest.MapFile{Data: []byte("Apache-2.0\n")}
		files["index.html"] = &fstest.MapFile{Data: []byte("<p>" + x.Manifest.Version + "</p>\n")}
	} else if err := copyFiles(files, x.Files); err != nil {
		return nil, err
	}
	files[publish.ManifestFile] = &fstest.MapFile{Data: raw}
	return publish.Pack(ctx, files, publish.PackOptions{})
}

func copyFiles(to fstest.MapFS, from fs.FS) error {
	return fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		to[name] = &fstest.MapFile{Data: b, Mode: info.Mode().Perm()}
		return nil
	})
}

// Push pushes a package to staging, signed by its publisher, and returns its digest.
func (w *Town) Push(ctx context.Context, p *Publisher, pkg *publish.Package) (string, error) {
	token, err := w.TokenOf(ctx, p.Owner)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(w.url)
	if err != nil {
		return "", err
	}
	pusher, err := oci.NewPusher(u.Host, oci.Options{
		Insecure: u.Scheme == "http",
		Credentials: func(context.Context, string) (oci.Credential, error) {
			return oci.Credential{Username: "token", Password: token}, nil
		},
	})
	if err != nil {
		return "", err
	}
	err = publish.Push(ctx, pusher, "staging", pkg, p.Signer)
	return string(pkg.OCI.Digest), errors.Join(err, pusher.Close())
}

// Submit packs, pushes and submits a plugin.
func (w *Town) Submit(ctx context.Context, p *Publisher, x Plugin) (hub.Submission, error) {
	pkg, err := Pack(ctx, x)
	if err != nil {
		return hub.Submission{}, err
	}
	digest, err := w.Push(ctx, p, pkg)
	if err != nil {
		return hub.Submission{}, err
	}
	a, err := w.ActorOf(ctx, p.Owner)
	if err != nil {
		return hub.Submission{}, err
	}
	if x.Notes.Empty() {
		x.Notes = publish.Notes{Added: []string{"Version " + x.Manifest.Version + "."}}
	}
	sub, err := w.Hub.Publishing.CreateSubmission(ctx, a, publishing.NewSubmission{
		Plugin: string(x.Manifest.ID), Version: x.Manifest.Version, Notes: x.Notes, Percent: x.Percent,
	})
	if err != nil {
		return sub, err
	}
	return w.Hub.Publishing.Submit(ctx, a, sub.ID, digest)
}

// Settle waits until a submission waits for a person or is through.
func (w *Town) Settle(ctx context.Context, who *Person, id string) (publishing.Detail, error) {
	return w.wait(ctx, who, id, func(s hub.State) bool {
		return s != hub.StateSubmitted && s != hub.StateValidating && s != hub.StateScanning && s != hub.StateApproved
	})
}

// every is how often a town looks whether something has happened.
const every = 5 * time.Millisecond

func (w *Town) wait(ctx context.Context, who *Person, id string, enough func(hub.State) bool) (publishing.Detail, error) {
	for {
		a, err := w.ActorOf(ctx, who)
		if err != nil {
			return publishing.Detail{}, err
		}
		d, err := w.Hub.Publishing.Submission(ctx, a, id)
		if err != nil || enough(d.State) {
			return d, err
		}
		select {
		case <-ctx.Done():
			return d, fmt.Errorf("%s is still %s: %w", d.Ref(), d.State, ctx.Err())
		case <-time.After(every):
		}
	}
}

// panel returns n reviewers.
func (w *Town) panel(ctx context.Context, n int) ([]*Person, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := []string{"Rosa Reviewer", "Rick Reviewer", "Rita Reviewer", "Rolf Reviewer"}
	for len(w.reviewers) < min(n, len(names)) {
		p, err := w.Enrol(ctx, names[len(w.reviewers)], hub.RoleReviewer)
		if err != nil {
			return nil, err
		}
		w.reviewers = append(w.reviewers, p)
	}
	return w.reviewers[:min(n, len(names))], nil
}

// Approve has as many reviewers approve a submission as it needs.
func (w *Town) Approve(ctx context.Context, d publishing.Detail) error {
	reviewers, err := w.panel(ctx, max(d.Needs, 1))
	if err != nil {
		return err
	}
	for _, r := range reviewers {
		a, err := w.ActorOf(ctx, r)
		if err != nil {
			return err
		}
		if _, err := w.Hub.Publishing.Decide(ctx, a, d.ID, publishing.Decision{
			Round: d.Round, Digest: d.Digest, Verdict: hub.VerdictApprove, Text: "Looks right.",
		}); err != nil {
			return err
		}
	}
	return nil
}

// Publish takes a release the whole way and returns it.
func (w *Town) Publish(ctx context.Context, p *Publisher, x Plugin) (hub.Release, error) {
	var r hub.Release
	sub, err := w.Submit(ctx, p, x)
	if err != nil {
		return r, err
	}
	d, err := w.Settle(ctx, p.Owner, sub.ID)
	if err != nil {
		return r, err
	}
	if d.State == hub.StateInReview {
		if err := w.Approve(ctx, d); err != nil {
			return r, err
		}
		if d, err = w.wait(ctx, p.Owner, sub.ID, func(s hub.State) bool { return s != hub.StateInReview && s != hub.StateApproved }); err != nil {
			return r, err
		}
	}
	if d.State != hub.StatePublished {
		return r, fmt.Errorf("%s is %s: %s %v", d.Ref(), d.State, d.Reason, d.Problems)
	}
	return w.Hub.Publishing.Release(ctx, d.Plugin, d.Version)
}
