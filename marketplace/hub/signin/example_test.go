package signin_test

import (
	"context"
	"fmt"

	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/hub/signin/signintest"
)

// A run of CI publishes without a stored secret.
func Example_trustedPublishing() {
	ctx := context.Background()
	ci := signintest.NewIssuer(signintest.IssuerOptions{}) // GitHub's part
	defer ci.Close()
	issuers, err := signin.NewIssuers([]signin.Issuer{
		{URL: ci.URL, Audience: "https://hub.example.org", Kind: signin.GitHub},
	}, signin.IssuersOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	rule := signin.Rule{Issuer: ci.URL, Repository: "acme/backup", Workflow: "release.yml", Ref: "refs/tags/v*"}

	for _, ref := range []string{"refs/tags/v1.2.0", "refs/heads/main"} {
		token := ci.Token(signintest.GitHubClaims("https://hub.example.org", "acme/backup", "release.yml", ref))
		run, err := issuers.Verify(ctx, token)
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := rule.Matches(run); err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("published by", run.Repository, run.Workflow, run.Ref)
	}
	// Output:
	// published by acme/backup .github/workflows/release.yml refs/tags/v1.2.0
	// the ref is "refs/heads/main", the rule wants "refs/tags/v*"
}

// Somebody registers a passkey and signs in with it.
func ExamplePasskeys() {
	ctx := context.Background()
	k, err := signin.NewPasskeys(signin.PasskeyOptions{
		RPID: "example.org", RPName: "Souk hub", Origins: []string{"https://hub.example.org"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	browser := &signintest.Authenticator{Origin: "https://hub.example.org"}

	account := signin.PasskeyUser{Handle: []byte("32 random bytes of this account."), Name: "mira"}
	options, ceremony, err := k.BeginRegistration(account, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := browser.Create(options)
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, err := k.FinishRegistration(ceremony, answer, "Laptop")
	if err != nil {
		fmt.Println(err)
		return
	}

	options, ceremony, err = k.BeginLogin()
	if err != nil {
		fmt.Println(err)
		return
	}
	if answer, err = browser.Get(options); err != nil {
		fmt.Println(err)
		return
	}
	used, err := k.FinishLogin(ctx, ceremony, answer, func(context.Context, []byte) (signin.Credential, error) {
		return stored, nil // found by its id
	})
	fmt.Printf("%s of %q %v\n", used.Name, used.Handle, err)
	// Output: Laptop of "32 random bytes of this account." <nil>
}

func ExampleSafeReturn() {
	fmt.Println(signin.SafeReturn("/plugins/?q=backup"))
	fmt.Println(signin.SafeReturn("//evil.example"))
	// Output:
	// /plugins/?q=backup
	// /
}
