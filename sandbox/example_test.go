package sandbox_test

import (
	"fmt"

	"github.com/souk-dev/souk/sandbox"
)

// An update asks for more than was agreed to.
func Example() {
	policy := sandbox.Policy{
		Scopes: []sandbox.Scope{{
			Kind: sandbox.KindUI, Target: "dashboard.card", Risk: sandbox.RiskLow,
			Sentence: "Can show a card on the dashboard.",
		}},
	}
	agreed := sandbox.Consent{
		Set: sandbox.MustSet("ui:dashboard.card", "net.out:*.example.com:443"),
		By:  "admin",
	}
	wanted := sandbox.MustSet("ui:dashboard.card", "net.out:api.example.com:443", "exec:/usr/bin/tar")

	for _, r := range policy.Decide(wanted, agreed).Rulings {
		fmt.Printf("%s, %s risk: %s\n", r.Verdict, r.Risk, r.Sentence)
	}
	fmt.Println("wider:", sandbox.DiffOf(agreed.Set, wanted).Wider())
	// Output:
	// needs consent, high risk: Can run the program /usr/bin/tar, or every program in it if it is a folder.
	// granted, medium risk: Can send data to api.example.com on port 443.
	// granted, low risk: Can show a card on the dashboard.
	// wider: true
}

func ExampleCovers() {
	fmt.Println(sandbox.Covers("net.out:*.example.com:443", "net.out:api.eu.example.com:443"))
	fmt.Println(sandbox.Covers("net.out:*.example.com:443", "net.out:example.com:443"))
	fmt.Println(sandbox.Covers("fs.read:/srv", "fs.read:/srv2"))
	fmt.Println(sandbox.Covers("fs.write:/srv", "fs.read:/srv"))
	// Output:
	// true
	// false
	// false
	// false
}
