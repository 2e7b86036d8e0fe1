package server_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/server"
)

// atOnce calls f several times at the same moment and returns how many succeeded.
func atOnce(n int, f func(i int) error) (ok int) {
	start, errs := make(chan struct{}), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		if err == nil {
			ok++
		}
	}
	return ok
}

// TestTwoBrowsers: the same thing asked for at the same moment, from several browsers, is
// done once, on both engines. Without PostgreSQL that one is skipped, unless
// SOUK_TEST_REQUIRE=all.
func TestTwoBrowsers(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			o := server.Options{}
			if engine == "postgres" {
				o.Postgres, _ = hubtest.Postgres(t)
			}
			w := hubtest.New(t, hubtest.Options{Server: o})
			ctx := t.Context()
			olga, otto, uma, rosa := w.Person("Olga Owner"), w.Person("Otto Owner"), w.Person("Uma User"), w.Person("Rosa Other", hub.RoleReviewer)
			acme := w.Publisher(olga, "acme")
			require.NoError(t, w.Hub.Publishing.SetMember(ctx, w.Actor(olga), "acme", otto.Account, hub.MemberOwner))

			sub := w.Submit(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
			reviewer := w.Actor(rosa)
			assert.Equal(t, 1, atOnce(6, func(int) error {
				_, err := w.Hub.Publishing.Decide(ctx, reviewer, sub.ID, publishing.Decision{Round: sub.Round, Digest: sub.Digest, Verdict: hub.VerdictApprove})
				return err
			}), "one approval")
			d, err := w.Settle(ctx, olga, sub.ID)
			require.NoError(t, err)
			require.Equal(t, hub.StatePublished, d.State, d.Reason)
			releases, err := w.Hub.Publishing.Releases(ctx, "acme/backup")
			require.NoError(t, err)
			assert.Len(t, releases, 1)

			user := w.Actor(uma)
			require.Positive(t, atOnce(6, func(int) error {
				_, err := w.Hub.Community.Rate(ctx, user, community.NewRating{Plugin: "acme/backup", Stars: 5})
				return err
			}))
			require.Positive(t, atOnce(6, func(int) error {
				_, err := w.Hub.Community.Vote(ctx, reviewer, "acme/backup", uma.Account, true)
				return err
			}))
			sum, err := w.Hub.Community.Summary(ctx, "acme/backup")
			require.NoError(t, err)
			assert.EqualValues(t, 1, sum.Count, "one rating")
			r, err := w.Hub.Community.RatingOf(ctx, user, "acme/backup")
			require.NoError(t, err)
			assert.EqualValues(t, 1, r.Helpful, "one vote")

			assert.Equal(t, 1, atOnce(6, func(int) error {
				_, err := w.Hub.Publishing.CreateSubmission(ctx, w.Actor(olga), publishing.NewSubmission{Plugin: "acme/backup", Version: "2.0.0"})
				return err
			}), "one submission of a version")
			owners := []hub.Actor{w.Actor(olga), w.Actor(otto)}
			assert.Equal(t, 1, atOnce(2, func(i int) error {
				return w.Hub.Publishing.RemoveMember(ctx, owners[i], "acme", owners[i].Account)
			}), "the last owner stays")
			assert.Equal(t, 1, atOnce(6, func(int) error {
				_, err := w.Hub.Publishing.CreatePublisher(ctx, user, publishing.PublisherEdit{Namespace: "uma", Name: "Uma"})
				return err
			}), "a name is taken once")
		})
	}
}
