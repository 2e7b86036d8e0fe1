package main

import (
	"context"
	"flag"
	"runtime"
	"runtime/debug"
)

func otherVerbs() []verb {
	return []verb{{
		name: "version", short: "print the version of souk",
		long: `
Prints the version of this command, the commit it was built from and the Go that
built it.`,
		flags: func(fs *flag.FlagSet) action {
			asJSON := jsonFlag(fs)
			return func(_ context.Context, a *app, _ []string) error { return a.version(*asJSON) }
		},
	}}
}

func (a *app) version(asJSON bool) error {
	v := struct {
		Version string `json:"version"`
		Commit  string `json:"commit,omitempty"`
		Changed bool   `json:"changed,omitempty"` // the sources were not those of the commit
		Go      string `json:"go"`
		System  string `json:"system"`
	}{Version: "unknown", Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Version = info.Main.Version
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value
			case "vcs.modified":
				v.Changed = s.Value == "true"
			}
		}
	}
	if asJSON {
		return a.result(v)
	}
	return a.print("souk %s (%s, %s)", v.Version, v.Go, v.System)
}
