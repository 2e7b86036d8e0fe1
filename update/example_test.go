package update_test

import (
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

// What a panel shows about the updates of what it has.
func ExampleFind() {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	key := verify.Identity{Key: "the public key of acme"}
	release := func(version string, published time.Time) catalog.Release {
		ref := catalog.Ref{Plugin: "acme/backup", Version: version}
		return catalog.Release{
			Ref: ref, Digest: verify.DigestOf([]byte(version)), Published: published, Notes: "Changes of " + version,
			Manifest: catalog.Manifest{ID: ref.Plugin, Version: version, Name: "Backup"},
		}
	}
	snapshot, err := catalog.NewSnapshot(catalog.Contents{
		Source: "main", Expires: noon.AddDate(0, 0, 7),
		Listings:   []catalog.Listing{{ID: "acme/backup"}},
		Publishers: []catalog.Publisher{{Namespace: "acme", Signers: []catalog.Signer{{Identity: key}}}},
		Releases: []catalog.Release{
			release("2.0.0", noon.AddDate(0, -1, 0)), release("1.4.2", noon.Add(-time.Hour)), release("1.4.1", noon.AddDate(0, 0, -3)),
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	offers := update.Find(update.FindInput{
		Facts: update.Facts{
			Generation: install.Generation{Plugins: map[catalog.PluginID]install.Installed{
				"acme/backup": {Ref: catalog.Ref{Plugin: "acme/backup", Version: "1.4.0"}, Source: "main", Signer: key.ID()},
			}},
			Snapshots: []*catalog.Snapshot{snapshot},
		},
		Policy: update.Nightly("UTC"),
		Now:    noon,
	})
	for _, o := range offers {
		fmt.Printf("%s %s -> %s: %s\n", o.Name, o.From.Version, o.To.Version, o.Decision.Verdict)
		for _, why := range o.Decision.Why {
			fmt.Println("  " + why)
		}
	}
	// Output:
	// Backup 1.4.0 -> 2.0.0: ask
	//   It is another major version than 1.4.0.
	// Backup 1.4.0 -> 1.4.1: auto
	//   It will be applied in the next window, from 24 November 2026 02:00 UTC.
}

func ExamplePolicy_String() {
	fmt.Println(update.SecurityOnly())
	// Output:
	// Updates by itself what answers a published advisory, at any time, and asks a person about everything else. Always asks before: another major version, a declared break, another signer, more permissions, native code where there was none, a plugin that is not installed, another data schema. Takes back by itself a version that turns out bad, unless that loses data.
}

func ExampleParseWindow() {
	w, err := update.ParseWindow("Sat,Sun 02:30 4h Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	// On 29 March 2026 there is no 02:30 in Berlin: the clocks go from 02:00 to 03:00.
	start, end, err := w.At(time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC))
	fmt.Println(start, end, err)
	// Output:
	// 2026-03-29 03:00:00 +0200 CEST 2026-03-29 07:00:00 +0200 CEST <nil>
}
