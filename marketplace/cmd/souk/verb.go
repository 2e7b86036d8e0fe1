package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// verb is something that the command does. Verbs that belong together stand in one
// file, with a function that returns them; see verbs.
type verb struct {
	name  string // "pack", "catalog init"
	args  string // as help shows them: "<layout> <registry/prefix>"
	short string // one line
	long  string // what people need to know
	min   int    // number of arguments
	max   int    // likewise; -1: any
	// flags declares the flags in fs and returns what the verb does with them.
	flags func(fs *flag.FlagSet) action
}

type action func(ctx context.Context, a *app, args []string) error

// verbs returns all verbs, in the order in which help lists them.
func verbs() []verb {
	return slices.Concat(pluginVerbs(), releaseVerbs(), hubVerbs(), serverVerbs(), catalogVerbs(), otherVerbs())
}

// find returns the verb that the arguments begin with, and those behind it.
func find(args []string) (verb, []string, bool) {
	for words := min(2, len(args)); words > 0; words-- {
		name := strings.Join(args[:words], " ")
		for _, v := range verbs() {
			if v.name == name {
				return v, args[words:], true
			}
		}
	}
	return verb{}, nil, false
}

func (a *app) dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		a.overview(a.stderr)
		return usage("a verb is missing")
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		return a.help(args[1:])
	}
	v, rest, ok := find(args)
	if !ok {
		return unknown(args)
	}
	fs := flag.NewFlagSet("souk "+v.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // what is wrong is said below, once
	do := v.flags(fs)
	positional, err := parse(fs, rest)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return a.explain(v)
	case err != nil:
		return advise(usage("%s: %v", v.name, err), "`souk help %s` explains it", v.name)
	case len(positional) < v.min || v.max >= 0 && len(positional) > v.max:
		return advise(usage("%s: got %d arguments, wants %s", v.name, len(positional), v.args), "`souk help %s` explains it", v.name)
	}
	if err := do(ctx, a, positional); err != nil {
		if errors.Is(err, errFound) {
			return err
		}
		return fmt.Errorf("%s: %w", v.name, err)
	}
	return nil
}

// unknown says what there is instead.
func unknown(args []string) error {
	var below []string
	for _, v := range verbs() {
		if group, name, ok := strings.Cut(v.name, " "); ok && group == args[0] {
			below = append(below, name)
		}
	}
	if len(below) > 0 {
		return advise(usage("%s needs one of: %s", args[0], strings.Join(below, ", ")), "`souk help %s` explains them", args[0])
	}
	return advise(usage("there is no verb %.40q", args[0]), "`souk help` lists all")
}

// parse reads flags wherever they stand among the arguments; "--" ends them.
func parse(fs *flag.FlagSet, args []string) (positional []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		rest := fs.Args()
		if len(rest) == 0 {
			return positional, nil
		}
		if read := len(args) - len(rest); read > 0 && args[read-1] == "--" {
			return append(positional, rest...), nil
		}
		positional, args = append(positional, rest[0]), rest[1:]
	}
}

func (a *app) help(args []string) error {
	if len(args) == 0 {
		a.overview(a.stdout)
		return nil
	}
	if v, _, ok := find(args); ok {
		return a.explain(v)
	}
	found := false
	for _, v := range verbs() {
		if group, _, ok := strings.Cut(v.name, " "); ok && group == args[0] {
			if found {
				fmt.Fprintln(a.stdout)
			}
			found = true
			if err := a.explain(v); err != nil {
				return err
			}
		}
	}
	if !found {
		return unknown(args)
	}
	return nil
}

// overview lists the verbs.
func (a *app) overview(w io.Writer) {
	fmt.Fprint(w, "souk makes, checks and publishes plugins, keeps catalogs of them, and runs hubs.\n\nUsage: souk <verb> [flags] [arguments]\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range verbs() {
		fmt.Fprintf(t, "  %s\t%s\n", v.name, v.short)
	}
	t.Flush()
	fmt.Fprint(w, "\n`souk help <verb>` explains one. Exit status: 0 done, 1 failed or a check found errors, 2 called wrongly.\n")
}

// explain prints the help of a verb.
func (a *app) explain(v verb) error {
	fs := flag.NewFlagSet(v.name, flag.ContinueOnError)
	v.flags(fs)
	hasFlags := false
	fs.VisitAll(func(*flag.Flag) { hasFlags = true })
	line := "Usage: souk " + v.name
	if hasFlags {
		line += " [flags]"
	}
	if v.args != "" {
		line += " " + v.args
	}
	fmt.Fprintf(a.stdout, "%s\n\n%s\n", line, strings.TrimSpace(v.long))
	if !hasFlags {
		return nil
	}
	fmt.Fprintln(a.stdout, "\nFlags:")
	fs.VisitAll(func(f *flag.Flag) {
		kind, text := flag.UnquoteUsage(f)
		fmt.Fprintf(a.stdout, "  --%s\n        %s", strings.TrimSpace(f.Name+" "+kind), text)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0s" {
			fmt.Fprintf(a.stdout, " (default %s)", f.DefValue)
		}
		fmt.Fprintln(a.stdout)
	})
	return nil
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

// jsonFlag declares --json.
func jsonFlag(fs *flag.FlagSet) *bool {
	return fs.Bool("json", false, "print the result as JSON, for programs")
}
