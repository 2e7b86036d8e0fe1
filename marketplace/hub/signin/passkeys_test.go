package signin_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/hub/signin/signintest"
)

const origin = "https://hub.example.org"

// vault stores passkeys as the hub does.
type vault struct {
	t     *testing.T
	p     *signin.Passkeys
	clock *clock
	keys  map[string]signin.Credential // by id
}

func newVault(t *testing.T) *vault {
	v := &vault{t: t, clock: newClock(), keys: map[string]signin.Credential{}}
	var err error
	v.p, err = signin.NewPasskeys(signin.PasskeyOptions{
		RPID: "example.org", RPName: "Souk hub", Origins: []string{origin, "https://www.example.org"}, Now: v.clock.now,
	})
	require.NoError(t, err)
	return v
}

func user(name string) signin.PasskeyUser {
	return signin.PasskeyUser{Handle: []byte(name + strings.Repeat("-", 16)), Name: name}
}

func (v *vault) find(_ context.Context, id []byte) (signin.Credential, error) {
	c, there := v.keys[string(id)]
	if !there {
		return signin.Credential{}, signin.ErrUnknownPasskey
	}
	return c, nil
}

func (v *vault) register(a *signintest.Authenticator, u signin.PasskeyUser) (signin.Credential, error) {
	v.t.Helper()
	options, ceremony, err := v.p.BeginRegistration(u, nil)
	require.NoError(v.t, err)
	answer, err := a.Create(options)
	require.NoError(v.t, err)
	c, err := v.p.FinishRegistration(kept(v.t, ceremony), answer, "  My\tkey ")
	if err == nil {
		v.keys[string(c.ID)] = storedJSON(v.t, c)
	}
	return c, err
}

func (v *vault) login(a *signintest.Authenticator) (signin.Credential, error) {
	v.t.Helper()
	options, ceremony, err := v.p.BeginLogin()
	require.NoError(v.t, err)
	answer, err := a.Get(options)
	require.NoError(v.t, err)
	return v.finish(ceremony, answer)
}

func (v *vault) finish(c signin.Ceremony, answer []byte) (signin.Credential, error) {
	got, err := v.p.FinishLogin(v.t.Context(), kept(v.t, c), answer, v.find)
	if err == nil || errors.Is(err, signin.ErrCloneSuspected) {
		v.keys[string(got.ID)] = storedJSON(v.t, got)
	} else {
		assert.Zero(v.t, got)
	}
	return got, err
}

// kept is the ceremony after it was stored and read.
func kept(t *testing.T, c signin.Ceremony) signin.Ceremony {
	t.Helper()
	b, err := json.Marshal(c)
	require.NoError(t, err)
	require.Less(t, len(b), 500)
	var out signin.Ceremony
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

func storedJSON(t *testing.T, c signin.Credential) signin.Credential {
	t.Helper()
	b, err := json.Marshal(c)
	require.NoError(t, err)
	require.Less(t, len(b), 1000)
	var out signin.Credential
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

func TestPasskey(t *testing.T) {
	for _, synced := range []bool{false, true} {
		t.Run(fmt.Sprintf("synced=%t", synced), func(t *testing.T) {
			v := newVault(t)
			a := &signintest.Authenticator{Origin: origin, Synced: synced}
			made, err := v.register(a, user("mira"))
			require.NoError(t, err)
			assert.Equal(t, "My key", made.Name)
			assert.Equal(t, user("mira").Handle, made.Handle)
			assert.Equal(t, []string{"internal", "hybrid"}, made.Transports)
			assert.Equal(t, synced, made.BackupEligible)
			assert.True(t, made.Created.Equal(v.clock.now()))
			assert.True(t, made.LastUsed.IsZero())
			_, err = v.register(&signintest.Authenticator{Origin: origin}, user("noor"))
			require.NoError(t, err)
			v.clock.add(time.Hour)
			for n := range 3 {
				got, err := v.login(a)
				require.NoError(t, err)
				assert.Equal(t, user("mira").Handle, got.Handle)
				assert.Equal(t, made.ID, got.ID)
				assert.True(t, got.LastUsed.Equal(v.clock.now()))
				assert.False(t, got.CloneSuspected)
				if !synced {
					assert.EqualValues(t, n+2, got.SignCount)
				}
			}
			assert.Equal(t, made.Name, v.keys[string(made.ID)].Name, "nothing else changes")
		})
	}
}

// TestPasskeyOptions holds the options that go to the browser to what is promised.
func TestPasskeyOptions(t *testing.T) {
	v := newVault(t)
	a := &signintest.Authenticator{Origin: origin}
	first, err := v.register(a, user("mira"))
	require.NoError(t, err)
	options, _, err := v.p.BeginRegistration(user("mira"), []signin.Credential{first})
	require.NoError(t, err)
	t.Logf("%s", options)
	var o struct {
		Challenge   string
		RP          struct{ ID, Name string }
		User        struct{ ID, Name, DisplayName string }
		Timeout     int
		Attestation string
		Selection   struct {
			ResidentKey, UserVerification string
			RequireResidentKey            bool
		} `json:"authenticatorSelection"`
		Exclude []struct{ ID string } `json:"excludeCredentials"`
	}
	require.NoError(t, json.Unmarshal(options, &o))
	challenge, err := base64.RawURLEncoding.DecodeString(o.Challenge)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(challenge), 32)
	assert.Equal(t, "example.org", o.RP.ID)
	assert.Equal(t, "mira", o.User.DisplayName)
	assert.Equal(t, 300_000, o.Timeout)
	assert.Contains(t, []string{"", "none"}, o.Attestation)
	assert.Equal(t, "required", o.Selection.ResidentKey)
	assert.Equal(t, "required", o.Selection.UserVerification)
	assert.True(t, o.Selection.RequireResidentKey)
	require.Len(t, o.Exclude, 1)
	_, err = a.Create(options)
	require.ErrorContains(t, err, "InvalidStateError", "the same authenticator makes no second one")

	options, _, err = v.p.BeginLogin()
	require.NoError(t, err)
	t.Logf("%s", options)
	assert.Contains(t, string(options), `"userVerification":"required"`)
	assert.Contains(t, string(options), `"rpId":"example.org"`)
	assert.NotContains(t, string(options), "allowCredentials", "nobody is named")
}

func TestRegistrationAttacks(t *testing.T) {
	v := newVault(t)
	_, err := v.register(&signintest.Authenticator{Origin: origin}, user("control"))
	require.NoError(t, err)
	_, err = v.register(&signintest.Authenticator{Origin: "https://www.example.org"}, user("control2"))
	require.NoError(t, err)
	for name, a := range map[string]*signintest.Authenticator{
		"another origin":      {Origin: "https://evil.example", RPID: "example.org"},
		"a subdomain":         {Origin: "https://evil.example.org"},
		"another port":        {Origin: origin + ":8443"},
		"plain http":          {Origin: "http://hub.example.org"},
		"another relying one": {Origin: origin, RPID: "evil.example"},
		"not verified":        {Origin: origin, SkipVerification: true},
	} {
		_, err := v.register(a, user("mira"))
		require.ErrorIs(t, err, signin.ErrRefused, name)
	}
	require.Len(t, v.keys, 2)

	a := &signintest.Authenticator{Origin: origin}
	options, ceremony, err := v.p.BeginRegistration(user("mira"), nil)
	require.NoError(t, err)
	_, other, err := v.p.BeginRegistration(user("mira"), nil)
	require.NoError(t, err)
	_, login, err := v.p.BeginLogin()
	require.NoError(t, err)
	answer, err := a.Create(options)
	require.NoError(t, err)
	endless := ceremony
	endless.Expires = v.clock.now().Add(24 * time.Hour)
	for name, c := range map[string]signin.Ceremony{"another challenge": other, "a login": login, "none": {}, "one without end": endless} {
		_, err := v.p.FinishRegistration(c, answer, "")
		require.ErrorIs(t, err, signin.ErrRefused, name)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "null": []byte("null"), "a number": []byte("7"), "half": answer[:len(answer)/2],
		"too long": append(answer[:len(answer):len(answer)], strings.Repeat(" ", signin.MaxResponse)...),
	} {
		_, err := v.p.FinishRegistration(ceremony, b, "")
		require.ErrorIs(t, err, signin.ErrRefused, name)
	}
	// A passkey for nobody: made with the challenge of a login, which names no account.
	_, login, err = v.p.BeginLogin()
	require.NoError(t, err)
	mixed, err := a.Create([]byte(strings.Replace(string(options), ceremony.Challenge, login.Challenge, 1)))
	require.NoError(t, err)
	_, err = v.p.FinishRegistration(login, mixed, "")
	require.ErrorIs(t, err, signin.ErrRefused)
	c, err := v.p.FinishRegistration(ceremony, answer, "")
	require.NoError(t, err, "the control")
	assert.Equal(t, "Passkey", c.Name)
	v.clock.add(5 * time.Minute)
	_, err = v.p.FinishRegistration(ceremony, answer, "")
	require.ErrorIs(t, err, signin.ErrExpired)
}

func TestLoginAttacks(t *testing.T) {
	v := newVault(t)
	a := &signintest.Authenticator{Origin: origin}
	mine, err := v.register(a, user("mira"))
	require.NoError(t, err)
	b := &signintest.Authenticator{Origin: origin}
	_, err = v.register(b, user("noor"))
	require.NoError(t, err)
	_, err = v.login(a)
	require.NoError(t, err, "the control")

	for name, lie := range map[string]func(){
		"another origin":      func() { a.Origin, a.RPID = "https://evil.example", "example.org" },
		"a subdomain":         func() { a.Origin = "https://evil.example.org" },
		"another relying one": func() { a.RPID = "evil.example" },
		"not verified":        func() { a.SkipVerification = true },
		"another's handle":    func() { a.Handle = user("noor").Handle },
		"an empty handle":     func() { a.Handle = []byte{} },
	} {
		lie()
		_, err := v.login(a)
		require.ErrorIs(t, err, signin.ErrRefused, name)
		a.Origin, a.RPID, a.SkipVerification, a.Handle = origin, "", false, nil
	}
	_, err = v.login(a)
	require.NoError(t, err, "the control")

	options, ceremony, err := v.p.BeginLogin()
	require.NoError(t, err)
	_, other, err := v.p.BeginLogin()
	require.NoError(t, err)
	_, registration, err := v.p.BeginRegistration(user("mira"), nil)
	require.NoError(t, err)
	answer, err := a.Get(options)
	require.NoError(t, err)
	for name, c := range map[string]signin.Ceremony{"another challenge": other, "a registration": registration, "none": {}} {
		_, err := v.finish(c, answer)
		require.ErrorIs(t, err, signin.ErrRefused, name)
	}
	for _, part := range []string{"signature", "authenticatorData", "clientDataJSON"} {
		_, err := v.finish(ceremony, altered(t, answer, part))
		require.ErrorIs(t, err, signin.ErrRefused, "altered %s", part)
	}
	// The signature of one authenticator under the id of another's passkey.
	theirs, err := b.Get(options)
	require.NoError(t, err)
	id := base64.RawURLEncoding.EncodeToString(mine.ID)
	swapped := strings.NewReplacer(idOf(t, theirs), id).Replace(string(theirs))
	_, err = v.finish(ceremony, []byte(swapped))
	require.ErrorIs(t, err, signin.ErrRefused)

	unknown := altered(t, answer, "id")
	_, err = v.finish(ceremony, unknown)
	require.ErrorIs(t, err, signin.ErrUnknownPasskey)
	away := errors.New("database away")
	_, err = v.p.FinishLogin(t.Context(), ceremony, answer, func(context.Context, []byte) (signin.Credential, error) {
		return signin.Credential{}, away
	})
	require.ErrorIs(t, err, away)
	require.NotErrorIs(t, err, signin.ErrRefused)
	_, err = v.p.FinishLogin(t.Context(), ceremony, answer, func(context.Context, []byte) (signin.Credential, error) {
		return signin.Credential{}, nil
	})
	require.ErrorIs(t, err, signin.ErrRefused, "a lookup that finds another")

	_, err = v.finish(ceremony, answer)
	require.NoError(t, err, "the control")
	_, err = v.finish(ceremony, answer)
	require.ErrorIs(t, err, signin.ErrCloneSuspected, "replayed: a counter shows it, where there is one; the ceremony is gone by then")
	v.clock.add(5 * time.Minute)
	_, err = v.finish(ceremony, answer)
	require.ErrorIs(t, err, signin.ErrExpired)
}

// TestClone uses a copied authenticator.
func TestClone(t *testing.T) {
	v := newVault(t)
	a := &signintest.Authenticator{Origin: origin}
	_, err := v.register(a, user("mira"))
	require.NoError(t, err)
	copied := a.Clone()
	_, err = v.login(a)
	require.NoError(t, err)
	before, err := v.login(a)
	require.NoError(t, err)
	got, err := v.login(copied)
	require.ErrorIs(t, err, signin.ErrCloneSuspected)
	assert.True(t, got.CloneSuspected)
	assert.Equal(t, user("mira").Handle, got.Handle, "whom to tell")
	assert.Equal(t, before.SignCount, got.SignCount)
	assert.Equal(t, before.LastUsed, got.LastUsed)
	got, err = v.login(a)
	require.NoError(t, err)
	assert.True(t, got.CloneSuspected, "the mark stays until somebody takes it off")
}

func TestNewPasskeysRefuses(t *testing.T) {
	good := signin.PasskeyOptions{RPID: "example.org", RPName: "hub", Origins: []string{origin}}
	_, err := signin.NewPasskeys(good)
	require.NoError(t, err)
	local := signin.PasskeyOptions{RPID: "localhost", RPName: "hub", Origins: []string{"http://localhost:8080"}}
	_, err = signin.NewPasskeys(local)
	require.NoError(t, err)
	for name, change := range map[string]func(*signin.PasskeyOptions){
		"no domain":       func(o *signin.PasskeyOptions) { o.RPID = "" },
		"no name":         func(o *signin.PasskeyOptions) { o.RPName = "" },
		"no origin":       func(o *signin.PasskeyOptions) { o.Origins = nil },
		"plain http":      func(o *signin.PasskeyOptions) { o.Origins = []string{"http://hub.example.org"} },
		"another domain":  func(o *signin.PasskeyOptions) { o.Origins = []string{"https://example.com"} },
		"a like one":      func(o *signin.PasskeyOptions) { o.Origins = []string{"https://badexample.org"} },
		"a path":          func(o *signin.PasskeyOptions) { o.Origins = []string{origin + "/"} },
		"a long timeout":  func(o *signin.PasskeyOptions) { o.Timeout = time.Hour },
		"a negative one":  func(o *signin.PasskeyOptions) { o.Timeout = -1 },
		"a URL as domain": func(o *signin.PasskeyOptions) { o.RPID = "https://example.org" },
		"an address": func(o *signin.PasskeyOptions) {
			o.RPID, o.Origins = "127.0.0.1", []string{"http://127.0.0.1:8080"}
		},
	} {
		o := good
		change(&o)
		_, err := signin.NewPasskeys(o)
		require.Error(t, err, name)
	}
	p, err := signin.NewPasskeys(good)
	require.NoError(t, err)
	for name, u := range map[string]signin.PasskeyUser{
		"short handle": {Handle: []byte("1"), Name: "mira"}, "long handle": {Handle: make([]byte, 65), Name: "mira"}, "no name": {Handle: make([]byte, 32)},
	} {
		_, _, err := p.BeginRegistration(u, nil)
		require.Error(t, err, name)
	}
	_, _, err = p.BeginRegistration(user("mira"), make([]signin.Credential, signin.MaxPasskeys+1))
	require.Error(t, err)
}

func TestParseAnswer(t *testing.T) {
	a, err := signin.ParseAnswer([]byte(`{"ceremony":"c","credential":{"id":"x"},"fields":{"name":"My key"}}`))
	require.NoError(t, err)
	assert.Equal(t, signin.Answer{Ceremony: "c", Credential: json.RawMessage(`{"id":"x"}`), Fields: map[string]string{"name": "My key"}}, a)
	for _, bad := range []string{"", "null", "[]", "{}", `{"credential":{}`, `{"credential":{},"fields":{"a":1}}`, strings.Repeat(" ", signin.MaxResponse+1)} {
		_, err := signin.ParseAnswer([]byte(bad))
		require.ErrorIs(t, err, signin.ErrRefused, "%.20q", bad)
	}
}

func idOf(t *testing.T, answer []byte) string {
	t.Helper()
	var c struct{ ID string }
	require.NoError(t, json.Unmarshal(answer, &c))
	return c.ID
}

// altered flips a bit of a part of an answer: of response's, or of the id.
func altered(t *testing.T, answer []byte, part string) []byte {
	t.Helper()
	var c map[string]any
	require.NoError(t, json.Unmarshal(answer, &c))
	flip := func(v any) string {
		b, err := base64.RawURLEncoding.DecodeString(v.(string))
		require.NoError(t, err)
		b[len(b)-2] ^= 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	if part == "id" {
		c["id"] = flip(c["id"])
		c["rawId"] = c["id"]
	} else {
		r := c["response"].(map[string]any)
		r[part] = flip(r[part])
	}
	b, err := json.Marshal(c)
	require.NoError(t, err)
	return b
}
