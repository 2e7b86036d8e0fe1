package sandbox_test

import (
	"fmt"
	"testing"

	"github.com/souk-dev/souk/sandbox"
)

// The goal is 1 µs a rule; ns/rule is per permission of the smaller set.
func BenchmarkSubsetOf(b *testing.B) {
	for _, kind := range []string{"net.out", "fs.read", "db"} {
		var wide, narrow []sandbox.Permission
		for i := range sandbox.MaxSet {
			switch kind {
			case "net.out":
				wide = append(wide, sandbox.Permission(fmt.Sprintf("net.out:*.zone%02d.example.com:443", i)))
				narrow = append(narrow, sandbox.Permission(fmt.Sprintf("net.out:api.zone%02d.example.com:443", i)))
			case "fs.read":
				wide = append(wide, sandbox.Permission(fmt.Sprintf("fs.read:/srv/sites/site%02d", i)))
				narrow = append(narrow, sandbox.Permission(fmt.Sprintf("fs.read:/srv/sites/site%02d/public/index.html", i)))
			case "db":
				wide = append(wide, sandbox.Permission(fmt.Sprintf("db:store%02d:read", i)))
				narrow = wide
			}
		}
		s, t := sandbox.MustSet(narrow...), sandbox.MustSet(wide...)
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				if !s.SubsetOf(t) {
					b.Fatal("not a subset")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(s.Len()), "ns/rule")
		})
	}
}

func BenchmarkCovers(b *testing.B) {
	s := sandbox.MustSet("net.out:*.example.com:443", "ui:dashboard.card", "db:notes:read")
	for b.Loop() {
		if !s.Covers("net.out:api.example.com:443") {
			b.Fatal("not covered")
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := sandbox.Parse("net.out:*.eu.example.com:443"); err != nil {
			b.Fatal(err)
		}
	}
}
