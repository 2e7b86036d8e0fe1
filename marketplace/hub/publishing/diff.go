package publishing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify/scan"
)

// Bounds of a stored difference; a page shows no more.
const (
	maxDiffFiles = 500
	maxDiffNames = 500
)

// base returns the release that a version is compared with: the one before it by
// version that was not withdrawn, else the newest.
func base(all []hub.Release, version string) (hub.Release, bool) {
	var newest *hub.Release
	for i, r := range all { // newest first
		if r.State == catalog.Withdrawn {
			continue
		}
		if catalog.CompareVersions(r.Version, version) < 0 {
			return r, true
		}
		if newest == nil {
			newest = &all[i]
		}
	}
	if newest == nil {
		return hub.Release{}, false
	}
	return *newest, true
}

// compare says how a submission differs from the release before it.
func (s *Service) compare(ctx context.Context, sub hub.Submission, now *pushed, files fs.FS, scans []hub.Scan) (Diff, RiskInput, error) {
	d := Diff{Signer: Was{New: sub.Signer}, Runtime: Was{New: now.release.Manifest.Runtime.Kind}, Size: Sizes{New: now.release.Size}}
	if len(sub.Notes) > 0 {
		if err := json.Unmarshal(sub.Notes, &d.Notes); err != nil {
			return d, RiskInput{}, fmt.Errorf("kept notes of %s: %w", sub.ID, err)
		}
	}
	before, oldScans, publisher, err := s.before(ctx, sub)
	if err != nil {
		return d, RiskInput{}, err
	}
	var (
		oldFiles fs.FS
		oldM     catalog.Manifest
	)
	if before != nil {
		old, err := s.look(ctx, s.public(before.Plugin), before.Plugin, before.Version, before.Digest)
		if err != nil {
			return d, RiskInput{}, fmt.Errorf("the release before, %s: %w", before.Ref(), err)
		}
		unpacked, err := s.unpack(ctx, old)
		if err != nil {
			return d, RiskInput{}, fmt.Errorf("the release before, %s: %w", before.Ref(), err)
		}
		oldFiles, oldM = unpacked, old.release.Manifest
		d.Base, d.Signer.Old, d.Runtime.Old, d.Size.Old = before.Version, before.Signer, oldM.Runtime.Kind, old.release.Size
	}
	if d.Files, err = publish.DiffFiles(ctx, oldFiles, files); err != nil {
		return d, RiskInput{}, err
	}
	wants, err := d.manifests(oldM, now.release.Manifest)
	if err != nil {
		return d, RiskInput{}, err
	}
	oldImports, err := importsIn(ctx, oldFiles)
	if err != nil {
		return d, RiskInput{}, err
	}
	newImports, err := importsIn(ctx, files)
	if err != nil {
		return d, RiskInput{}, err
	}
	d.Imports = names(oldImports, newImports)
	d.Components = names(components(oldScans), components(scans))
	in := RiskInput{
		Verified: publisher.Verified, Age: s.now().Sub(publisher.Created), Diff: d, Wants: wants, Scans: scans,
		NativeBefore: d.Runtime.Old == catalog.RuntimeProcess,
	}
	if over := len(d.Files) - maxDiffFiles; over > 0 {
		d.Files, d.MoreFiles = d.Files[:maxDiffFiles], over
	}
	problems, err := problemsOf(sub)
	in.Warnings = len(problems) // those with errors do not come here
	return d, in, err
}

// manifests compares what two plugin.json ask for.
func (d *Diff) manifests(old, new catalog.Manifest) (sandbox.Set, error) {
	was, _, err := old.Wants()
	if err != nil {
		return sandbox.Set{}, err
	}
	is, _, err := new.Wants()
	if err != nil {
		return sandbox.Set{}, err
	}
	d.Permissions = sandbox.DiffOf(was, is)
	d.Dependencies = names(dependencies(old), dependencies(new))
	return is, nil
}

// before returns the release before a submission, nil when there is none, what scanners
// said about it, and the publisher.
func (s *Service) before(ctx context.Context, sub hub.Submission) (old *hub.Release, scans []hub.Scan, p hub.Publisher, err error) {
	err = s.env.Store.View(ctx, func(tx hub.Tx) error {
		old, scans = nil, nil
		var err error
		if p, err = tx.Publishers().Get(ctx, sub.Publisher); err != nil {
			return err
		}
		all, err := hub.ReleasesOf(ctx, tx, sub.Plugin)
		if err != nil {
			return err
		}
		r, ok := base(all, sub.Version)
		if !ok {
			return nil
		}
		old = &r
		by, err := tx.Submissions().Get(ctx, r.Submission)
		if errors.Is(err, hub.ErrNotFound) { // imported
			return nil
		}
		if err != nil {
			return err
		}
		scans, err = scansOf(ctx, tx, by)
		return err
	})
	return old, scans, p, err
}

func scansOf(ctx context.Context, tx hub.Tx, sub hub.Submission) ([]hub.Scan, error) {
	return tx.Scans().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("submission", sub.ID), hub.Eq("round", sub.Round)}})
}

func dependencies(m catalog.Manifest) []string {
	var out []string
	for _, d := range m.Dependencies {
		one := strings.TrimSpace(string(d.ID) + " " + d.Range)
		if d.Optional {
			one += " (optional)"
		}
		out = append(out, one)
	}
	return out
}

func components(scans []hub.Scan) []string {
	var out []string
	for _, c := range scans {
		for _, one := range reportOf(c).Components {
			out = append(out, strings.TrimSpace(cmp.Or(one.PURL, one.Ecosystem+" "+one.Name+" "+one.Version)))
		}
	}
	return out
}

// reportOf reads a kept report; one that cannot be read says nothing.
func reportOf(c hub.Scan) (r scan.Report) {
	if len(c.Report) > 0 && json.Unmarshal(c.Report, &r) != nil {
		return scan.Report{}
	}
	return r
}

// names compares two lists as sets, within the bound.
func names(old, new []string) Names {
	only := func(a, b []string) []string {
		have := make(map[string]bool, len(b))
		for _, x := range b {
			have[x] = true
		}
		var out []string
		for _, x := range a {
			if !have[x] {
				out = append(out, x)
			}
		}
		slices.Sort(out)
		out = slices.Compact(out)
		return out[:min(len(out), maxDiffNames)]
	}
	return Names{Added: only(new, old), Removed: only(old, new)}
}
