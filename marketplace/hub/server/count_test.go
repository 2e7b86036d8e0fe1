package server_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/server"
)

// TestDownloadsAreCounted: panels fetch a release from the hub's own registry, many at a
// time and some of them twice. Each counts once, and none is lost.
func TestDownloadsAreCounted(t *testing.T) {
	w := hubtest.New(t, hubtest.Options{Server: server.Options{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
	acme := w.Publisher(w.Person("Olga Owner"), "acme")
	r := w.Publish(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
	require.Zero(t, downloads(t, w), "what the hub reads itself is no download")

	const panels, workers = 600, 20
	began := time.Now()
	var wg sync.WaitGroup
	for k := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := k; i < panels; i += workers {
				pull(t, w.URL, r, fmt.Sprintf("10.1.%d.%d", i/250, i%250+1))
				if i%3 == 0 {
					pull(t, w.URL, r, fmt.Sprintf("10.1.%d.%d", i/250, i%250+1))
				}
			}
		}()
	}
	wg.Wait()
	rate := float64(panels+panels/3) / time.Since(began).Seconds()
	within(t, 10*time.Second, func() bool { return downloads(t, w) >= panels }, "all are counted")
	assert.EqualValues(t, panels, downloads(t, w))
	t.Logf("%.0f downloads a second", rate)
}

// pull fetches a release's content as a panel does, anonymously.
func pull(t *testing.T, base string, r hub.Release, address string) {
	get := func(path, token string) []byte {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
		if !assert.NoError(t, err) {
			return nil
		}
		req.Header.Set("X-Forwarded-For", address)
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
