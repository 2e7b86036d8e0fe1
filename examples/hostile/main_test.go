package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPages: the store is on each page, isolated where it should be. What the hostile rules do
// to it, a browser says: .ci/browser.
func TestPages(t *testing.T) {
	h, err := handler()
	require.NoError(t, err)
	for _, kind := range kinds {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/"+kind+"/plugins/p/acme/backup", nil))
		require.Equal(t, http.StatusOK, w.Code)
		page := w.Body.String()
		assert.Equal(t, strings.HasPrefix(kind, "isolated"), strings.Contains(page, `<template shadowrootmode="open">`), kind)
		assert.Equal(t, !strings.HasSuffix(kind, "plain"), strings.Contains(page, "hostile.css"), kind)
	}
}

// TestEmbeddingIsShort counts the lines that the embedding takes.
func TestEmbeddingIsShort(t *testing.T) {
	b, err := os.ReadFile("main.go")
	require.NoError(t, err)
	_, from, ok := strings.Cut(string(b), "\n// embed\n")
	require.True(t, ok)
	lines, _, ok := strings.Cut(from, "\n// end\n")
	require.True(t, ok)
	assert.LessOrEqual(t, strings.Count(strings.TrimSpace(lines), "\n")+1, 30)
}
