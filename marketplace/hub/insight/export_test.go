package insight

import "context"

// What tests of the pure core look at.

type (
	Document   = document
	Suggestion = suggestion
	Model      = model
)

func NewDocument(id, name, summary string, tags, categories []string) Document {
	return document{id: id, name: name, summary: summary, tags: tags, categories: categories}
}

func NewPair(a, b string, n float64) pair { return pair{a, b, n} }

func NewModel(docs []Document, active map[string]float64, pairs []pair) *Model {
	return newModel(docs, active, pairs)
}

func (m *model) Suggest(have []string, n int) []Suggestion { return m.suggest(have, n) }

func (s suggestion) Get() (id, because string, how How, score float64) {
	return s.id, s.because, s.how, s.score
}

type Pair = pair

var (
	Cosine     = cosine
	RetryAfter = retryAfter
	Plain      = plain
)

// Flush writes what waits.
func Flush(s *Service, ctx context.Context) error { return s.flush(ctx) }
