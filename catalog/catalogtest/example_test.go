package catalogtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/souk-dev/souk/catalog/catalogtest"
)

// A registry that is overloaded twice and then well again.
func Example() {
	registry, err := catalogtest.NewHandler(catalogtest.RegistryOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(registry) // in a test: catalogtest.NewRegistry(t, ...)
	defer server.Close()
	blob := registry.PutBlob("text/plain", []byte("hello"))

	registry.Inject(catalogtest.Fault{
		On:     catalogtest.ByDigest(blob.Digest),
		Times:  2,
		Effect: catalogtest.Status(http.StatusServiceUnavailable),
	})
	for range 3 {
		resp, err := http.Get(server.URL + "/v2/acme/backup/blobs/" + string(blob.Digest))
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.StatusCode)
	}
	fmt.Println(len(registry.Requests()), "requests")
	// Output:
	// 503
	// 503
	// 200
	// 3 requests
}
