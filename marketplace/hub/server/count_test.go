package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
)

// TestDownloadsAreCounted: panels fetch a release from the hub's own registry, many at a
// time and some of them twice. Each counts once, and none is lost.
func TestDownloadsAreCounted(t *testing.T) {
	w := hubtest.New(t, hubtest.Options{})
	acme := w.Publisher(w.Person("Olga Owner"), "acme")
	r := w.Publish(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
	downloads := func() int64 {
		var n int64
		require.NoError(t, w.Hub.Store.View(t.Context(), func(tx hub.Tx) error {
			today := hub.Day(time.Now())
			list, err := tx.Totals(t.Context(), hub.TotalQuery{Kind: "download", Plugin: "acme/backup", From: today - 1, To: today})
			for _, one := range list {
				n += one.N
			}
			return err
		}))
		return n
	}
	require.Zero(t, downloads(), "what the hub reads itself is no download")

	const panels, workers = 600, 20
	began := time.Now()
	var wg sync.WaitGroup
	for k := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := k; i < panels; i += workers {
				pull(t, w.URL, r, fmt.Sprintf("panel-%d", i))
				if i%3 == 0 {
					pull(t, w.URL, r, fmt.Sprintf("panel-%d", i))
				}
			}
		}()
	}
	wg.Wait()
	rate := float64(panels+panels/3) / time.Since(began).Seconds()
	within(t, 10*time.Second, func() bool { return downloads() >= panels }, "all are counted")
	assert.EqualValues(t, panels, downloads())
	t.Logf("%.0f downloads a second", rate)
}

// pull fetches a release's content as a panel does, anonymously.
func pull(t *testing.T, base string, r hub.Release, agent string) {
	get := func(path, token string) []byte {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
		if !assert.NoError(t, err) {
			return nil
		}
		req.Header.Set("User-Agent", agent)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(req)
		if !assert.NoError(t, err) {
			return nil
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", path, b)
		return b
	}
	answer := string(get("/v2/token?service="+strings.TrimPrefix(base, "http://")+"&scope=repository:"+r.Plugin+":pull", ""))
	_, rest, ok := strings.Cut(answer, `"token":"`)
	if !assert.True(t, ok, answer) {
		return
	}
	token, _, _ := strings.Cut(rest, `"`)
	get("/v2/"+r.Plugin+"/blobs/"+r.Content, token)
}
