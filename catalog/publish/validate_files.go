package publish

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"path"
	"slices"
	"unicode/utf8"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/wasm"
)

// named looks at the files that plugin.json names.
func (v *validator) named(entries []entry) {
	missing := missingFiles(v.m, entries)
	for _, n := range missing {
		advice := "add it, or leave the field out"
		if n.field == "runtime.entry" {
			advice = "build it: `souk build`"
		}
		v.field(ruleFileMissing, n.field, advice, "there is no file %q", n.file)
	}
	isMissing := func(file string) bool {
		return slices.ContainsFunc(missing, func(n named) bool { return n.file == file })
	}
	for _, n := range mediaFiles(v.m) {
		if !isMissing(n.file) && v.ctx.Err() == nil {
			v.media(n)
		}
	}
	if v.m.Runtime.Kind == catalog.RuntimeWASM && !isMissing(v.m.Runtime.Entry) && v.ctx.Err() == nil {
		v.module()
	}
}

// media checks a README, changelog or picture.
func (v *validator) media(n named) {
	b, err := readFile(v.in.Files, n.file, catalog.MaxMedia)
	if err != nil {
		v.add(Problem{File: n.file, Rule: readRule(err), Message: err.Error()})
		return
	}
	if path.Ext(n.file) == ".md" {
		if !utf8.Valid(b) {
			v.add(Problem{File: n.file, Rule: ruleFileRead, Message: "is not UTF-8", Advice: "save it as UTF-8"})
		}
		return
	}
	const advice = "save it again as PNG or JPEG, with that ending"
	if _, err := checkMedia(n.file, b); err != nil {
		v.add(Problem{File: n.file, Rule: rulePicture, Message: err.Error(), Advice: advice})
		return
	}
	// The size is within bounds: now it may be decoded, since a picture that is cut
	// short has a header in order.
	if _, _, err := image.Decode(bytes.NewReader(b)); err != nil {
		v.add(Problem{File: n.file, Rule: rulePicture, Message: fmt.Sprintf("is damaged: %v", err), Advice: advice})
	}
}

// readRule tells a file that is too long from one that cannot be read.
func readRule(err error) string {
	if long := (*tooLongError)(nil); errors.As(err, &long) {
		return ruleSize
	}
	return ruleFileRead
}

// module checks the entry of a wasm plugin.
func (v *validator) module() {
	const build = "build it with `souk build`, or: GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared"
	file := v.m.Runtime.Entry
	b, err := readFile(v.in.Files, file, wasm.MaxModule)
	if err != nil {
		v.add(Problem{File: file, Rule: readRule(err), Message: err.Error()})
		return
	}
	im, err := wasm.Inspect(b)
	if err != nil {
		v.add(Problem{File: file, Rule: ruleEntry, Message: err.Error(), Advice: build})
		return
	}
	for _, name := range []string{"souk_abi", "souk_call"} {
		if !slices.Contains(im.Exports, name) {
			v.add(Problem{File: file, Rule: ruleEntryABI, Message: fmt.Sprintf("does not export %s: only a panel with its own interface can call it", name), Advice: "see the package sandbox/wasm for the interface of a guest"})
		}
	}
	if v.m.Health != nil && v.m.Health.Export != "" && !slices.Contains(im.Exports, v.m.Health.Export) {
		v.field(ruleHealth, "health.export", "export the function, or leave health out", "%s does not export %q", file, v.m.Health.Export)
	}
}
