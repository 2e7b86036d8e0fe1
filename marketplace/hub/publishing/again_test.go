package publishing_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
)

// TestApprovalsCountAtPublishing: who is no reviewer any more when it is published has not
// approved it. One approval more, and it is.
func TestApprovalsCountAtPublishing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.policy.Reviewers = 2 })
	owner, signer := w.publisher("acme")
	sub := w.approve(w.reviewed(owner, signer, manifest("acme/backup", "1.0.0"), nil))
	w.accountRoles("reviewer-a", hub.AccountSuspended, hub.RoleReviewer)
	w.settle()
	sub = w.get(sub.ID)
	require.Equal(t, hub.StateInReview, sub.State)
	assert.Contains(t, sub.Reason, "1 of the 2 approvals")
	_, err := w.decide("rita", sub, hub.VerdictApprove, "")
	require.NoError(t, err)
	w.settle()
	require.Equal(t, hub.StatePublished, w.get(sub.ID).State)
}

// TestTooManyReferrers: more than anybody reads, pushed after the review, is for the
// publisher to change, and no job waits for ever.
func TestTooManyReferrers(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, verify.MaxBundles + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			owner, signer := w.publisher("acme")
			p := pack(t, manifest("acme/backup", "1.0.0"), nil)
			sub := w.submit(owner, manifest("acme/backup", "1.0.0"), w.push(p, signer))
			w.settle()
			subject := catalog.Descriptor{MediaType: catalog.TypeManifest, Digest: p.OCI.Digest, Size: p.OCI.Size}
			for i := range n {
				require.NoError(t, w.registry.Attach(t.Context(), prefix+"/staging/acme/backup", subject, publish.TypeBundle, fmt.Appendf(nil, "%d", i), nil))
			}
			w.approve(w.get(sub.ID))
			w.settle()
			sub = w.get(sub.ID)
			if n < verify.MaxBundles {
				require.Equal(t, hub.StatePublished, sub.State, "the control: %s", sub.Reason)
				return
			}
			require.Equal(t, hub.StateNeedsChanges, sub.State, sub.Reason)
			assert.Contains(t, sub.Reason, "push it again")
		})
	}
}
