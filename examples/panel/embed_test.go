package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEmbeddingIsShort counts the lines that the store takes in this panel: between the marks.
func TestEmbeddingIsShort(t *testing.T) {
	b, err := os.ReadFile("panel.go")
	require.NoError(t, err)
	n, marks, within := 0, 0, false
	for line := range strings.Lines(string(b)) {
		switch strings.TrimSpace(line) {
		case "// embed":
			within, marks = true, marks+1
		case "// end":
			within = false
		default:
			if within {
				n++
			}
		}
	}
	assert.Equal(t, 2, marks)
	assert.Greater(t, n, 10)
	assert.LessOrEqual(t, n, 30)
}
