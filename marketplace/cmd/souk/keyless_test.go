package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/sigstore/sigstoretest"
)

// TestKeylessWay: a publisher without a key signs by who they are, submits, and a panel
// that believes the same sigstore instance installs it. The certificate is in a
// certificate log, as the hub and the panel both ask.
func TestKeylessWay(t *testing.T) {
	t.Parallel()
	services := sigstoretest.New(t)
	w := newTown(t, hubtest.Options{Server: server.Options{TrustedRoot: services.TrustedRoot()}})
	who := verify.Identity{Issuer: "https://issuer.example", Subject: "release@acme.example"}
	_, err := w.Hub.Publishing.AddSigner(t.Context(), w.Actor(w.owner), "acme", publishing.NewSigner{Issuer: who.Issuer, Subject: who.Subject})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(w.path("trusted_root.json"), services.TrustedRoot(), 0o600))
	submit := func(name string, id verify.Identity, more ...string) []string {
		require.NoError(t, os.WriteFile(w.path(name+".token"), []byte(sigstoretest.Token(id)+"\n"), 0o600))
		return append([]string{"submit", w.plugin(name), "--identity-token", w.path(name + ".token"),
			"--fulcio", services.URL, "--rekor", services.URL, "--trusted-root", w.path("trusted_root.json")}, more...)
	}

	// Somebody else of the same issuer is told so by souk, and by the hub when they go past
	// souk: no reviewer is asked. So is the right name of another instance.
	stranger := verify.Identity{Issuer: who.Issuer, Subject: "mallory@evil.example"}
	assert.Contains(t, w.fail(exitFailed, submit("strange", stranger)...), "is not among those who may sign for acme")
	other := sigstoretest.New(t)
	refused := func(name catalog.PluginID, s *sigstoretest.Services, id verify.Identity) {
		signer, err := sigstore.NewKeylessSigner(t.Context(), sigstore.KeylessOptions{Token: sigstoretest.Token(id), Fulcio: s.URL, Rekor: s.URL})
		require.NoError(t, err)
		d := w.Submit(&hubtest.Publisher{Namespace: "acme", Owner: w.owner, Signer: signer}, hubtest.Plugin{Manifest: hubtest.Manifest(name, "1.0.0")})
		assert.Equal(t, hub.StateNeedsChanges, d.State)
		assert.Contains(t, string(d.Submission.Problems), publishing.RuleSignature)
		assert.Empty(t, d.Signer)
	}
	refused("acme/strange", services, stranger)
	refused("acme/forged", other, who)

	ref := catalog.Ref{Plugin: "acme/dark", Version: "0.1.0"}
	code, out, errs := w.run(submit("dark", who)...)
	require.Equal(t, exitDone, code, out+errs)
	w.approve(ref)
	require.Eventually(t, func() bool { return w.submissions(ref)[0].State == hub.StatePublished }, patience, 20*time.Millisecond)
	w.written()
	assert.Equal(t, who.ID(), w.submissions(ref)[0].Signer)

	// A panel with another instance, or with none, installs nothing; the right one does.
	for name, root := range map[string][]byte{"none": nil, "other": other.TrustedRoot()} {
		host := &installtest.Host{}
		m := hubPanelBelieving(t, w.URL, host, root)
		require.NoError(t, m.Sync(t.Context()))
		require.ErrorIs(t, operate(t, m, install.Change{Install: []resolve.Want{{Plugin: "acme/dark"}}}).Err, verify.ErrUntrusted, name)
		assert.Empty(t, host.Versions(), name)
	}
	host := &installtest.Host{}
	m := hubPanelBelieving(t, w.URL, host, services.TrustedRoot())
	require.NoError(t, m.Sync(t.Context()))
	apply(t, m, install.Change{Install: []resolve.Want{{Plugin: "acme/dark"}}})
	require.Equal(t, []string{"acme/dark@0.1.0"}, host.Versions())
	assert.Equal(t, who.ID(), m.Installed()[0].Signer)
}
