package verify_test

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/souk-dev/souk/verify"
)

// Bytes are checked while they stream: what is not what was promised ends with an
// error instead of io.EOF.
func ExampleNewReader() {
	promised := verify.DigestOf([]byte("backup plugin"))
	served := strings.NewReader("BACKUP plugin")

	_, err := io.Copy(io.Discard, verify.NewReader(served, promised, 13))
	fmt.Println(errors.Is(err, verify.ErrDigest))
	// Output: true
}
