package scan

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
)

// maxPopular bounds the ids of [Subject.Popular]: comparing takes microseconds each.
const maxPopular = 50_000

type squatting struct{}

// Squatting returns the scanner that compares the plugin's id with those of popular
// plugins of other publishers, as [Similar] does. A publisher that looks like a popular
// one and has a plugin of the same or a similar name blocks. It looks at no file.
func Squatting() Scanner { return squatting{} }

// Name returns "squatting".
func (squatting) Name() string { return "squatting" }

func (q squatting) Scan(ctx context.Context, _ fs.FS, s Subject) (Report, error) {
	out := newSheet(q.Name())
	if s.Popular == nil {
		return out.skipped()
	}
	popular, err := s.Popular(ctx)
	if err != nil {
		return out.broken(fmt.Errorf("popular names: %w", err))
	}
	if len(popular) > maxPopular {
		return out.broken(fmt.Errorf("popular names: %d, more than %d", len(popular), maxPopular))
	}
	publisher, name, ok := strings.Cut(s.Plugin, "/")
	if !ok {
		return out.broken(fmt.Errorf("plugin id %q is not publisher/name", s.Plugin))
	}
	for _, p := range popular {
		if ctx.Err() != nil {
			return out.broken(context.Cause(ctx))
		}
		otherPublisher, otherName, ok := strings.Cut(p, "/")
		if !ok {
			return out.broken(fmt.Errorf("popular names: %q is not publisher/name", p))
		}
		if otherPublisher == publisher {
			continue // its own, or one that it names alike
		}
		byPublisher, likePublisher := Similar(publisher, []string{otherPublisher})
		byName, likeName := Similar(name, []string{otherName})
		f := Finding{Confidence: ConfidenceHigh, Advice: "choose another name, or ask the hub's moderators if it is yours"}
		switch {
		case likePublisher && (likeName || name == otherName):
			f.Rule, f.Severity, f.Title = "squatting-plugin", SeverityHigh, "can be taken for a popular plugin"
			f.Detail = fmt.Sprintf("looks like %s: in the publisher's name, %s", p, byPublisher.Why)
		case likePublisher:
			f.Rule, f.Severity, f.Title = "squatting-publisher", SeverityMedium, "publisher can be taken for a popular one"
			f.Detail = fmt.Sprintf("looks like the publisher of %s: %s", p, byPublisher.Why)
		case likeName:
			f.Rule, f.Severity, f.Title = "squatting-name", SeverityMedium, "name can be taken for a popular plugin's"
			f.Confidence = ConfidenceMedium
			f.Detail = fmt.Sprintf("looks like %s: %s", p, byName.Why)
		case name == otherName:
			f.Rule, f.Severity, f.Title = "squatting-name", SeverityInfo, "has the name of a popular plugin"
			f.Detail = fmt.Sprintf("%s is by another publisher", p)
		default:
			continue
		}
		out.add(f)
	}
	return out.done()
}
