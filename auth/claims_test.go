package auth

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// TestClaims: each one that cannot be used is named, with what it must be, and shows nothing of the token.
func TestClaims(t *testing.T) {
	h := signers()[algSecret]
	k := loadKeys(t, h.file(t), "board")
	now := time.Now()
	const shown = "s3cret"
	base := func(more ...any) jwt.MapClaims { return good(append([]any{"aud", "board"}, more...)...) }
	for name, c := range map[string]struct {
		claims jwt.MapClaims
		want   string // "" is taken
	}{
		"as they should be":    {base(), ""},
		"aud in a list":        {base("aud", []string{"x", "board"}), ""},
		"no aud":               {base("aud", nil), "aud must be"},
		"aud of somebody else": {base("aud", shown), "aud must be"},
		"aud list of others":   {base("aud", []string{shown, "Board"}), "aud must be"},
		"aud empty":            {base("aud", []string{}), "aud must be"},
		"aud number":           {base("aud", 7), "aud must be"},
		"no exp":               {base("exp", nil), "exp is missing"},
		"no exp and no aud":    {base("exp", nil, "aud", nil), "exp is missing"},
		"exp null":             {base("exp", json.RawMessage("null")), "exp is missing"},
		"exp text":             {base("exp", shown), "exp must be a number"},
		"exp 0":                {base("exp", 0), "exp must be a number"},
		"exp half":             {base("exp", 0.5), "exp must be a number"},
		"exp below":            {base("exp", -5), "exp must be a number"},
		"exp beyond":           {base("exp", 1e18), "exp must be a number"},
		"exp in another case":  {base("exp", nil, "EXP", now.Add(time.Hour).Unix()), "exp is missing"},
		"expired":              {base("exp", now.Unix()-1), "it has expired"},
		"nbf soon":             {base("nbf", now.Unix()+20), ""},
		"nbf later":            {base("nbf", now.Unix()+90), "not valid yet"},
		"nbf text":             {base("nbf", shown), "nbf must be a number"},
		"no sub":               {base("sub", nil), "sub is missing"},
		"sub empty":            {base("sub", ""), "sub is missing"},
		"sub number":           {base("sub", 7), "sub must be a string"},
		"sub long":             {base("sub", strings.Repeat("x", 256)), "longer than 255"},
		"sub for a name":       {base("name", nil, "sub", "Bob"), ""},
		"sub is no name":       {base("name", nil, "sub", shown+strings.Repeat("x", 33)), "a claim name would be used"},
		"name empty":           {base("name", ""), ""},
		"name number":          {base("name", 7), "name must be a string"},
		"name with spaces":     {base("name", "  Ann  "), ""},
		"name unseen":          {base("name", "\u2800"), "name cannot be a username"},
		"name long":            {base("name", shown+strings.Repeat("x", 33)), "name cannot be a username"},
		"no access":            {base("access", nil), "access is missing"},
		"access unknown":       {base("access", shown), "access must be none, metrics"},
		"access list":          {base("access", []string{"read"}), "access must be"},
		"no rooms":             {base("rooms", nil), ""},
		"rooms empty":          {base("rooms", []string{}), "rooms is empty"},
		"rooms text":           {base("rooms", "den"), "rooms must be a list"},
		"rooms of numbers":     {base("rooms", []int{7}), "rooms must be a list"},
		"rooms bad":            {base("rooms", []string{"den", shown + "/"}), "rooms: number 2 "},
		"admin":                {base("access", "admin", "rooms", nil), ""},
		"admin of a room":      {base("access", "admin"), "leave the claim rooms out"},
		"others are ignored":   {base("jti", shown, "iat", now.Unix(), "groups", []string{shown}), ""},
	} {
		id, err := k.Verify(sign(t, h, c.claims))
		switch {
		case c.want == "" && (err != nil || id.Name == ""):
			t.Errorf("%s: %+v, %v", name, id, err)
		case c.want != "" && (!errors.Is(err, ErrBadToken) || !strings.Contains(err.Error(), c.want) || id != nil):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		case err != nil && strings.Contains(err.Error(), shown):
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
	if id, err := k.Verify(sign(t, h, base("name", "  Zoe\u0308  B "))); err != nil || id.Name != "Zo\u00eb B" {
		t.Errorf("the name is not in its form: %+v, %v", id, err)
	}
	if id, err := loadKeys(t, h.file(t), "").Verify(sign(t, h, base())); err != nil || id == nil {
		t.Errorf("an aud nobody asked for: %v", err)
	}
	token := sign(t, h, base())
	for _, broken := range []string{"", ".", "..", "...", "a.b.c", token + ".", token + "=", token[:len(token)-1], "." + token, strings.ReplaceAll(token, ".", "")} {
		if id, err := k.Verify(broken); !errors.Is(err, ErrBadToken) || id != nil {
			t.Errorf("%.20q counts: %v", broken, err)
		}
	}
	// The last letter of a signature of 32 bytes has two bits that say nothing: one token has one form.
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(letters, token[len(token)-1])
	if id, err := k.Verify(token[:len(token)-1] + letters[last|1:last|1+1]); !errors.Is(err, ErrBadToken) || id != nil {
		t.Errorf("another form of a token counts: %v", err)
	}
	for n, want := range map[int]error{maxJWT / 2: nil, maxJWT: ErrBadToken} {
		if _, err := k.Verify(sign(t, h, base("more", strings.Repeat("x", n)))); !errors.Is(err, want) {
			t.Errorf("one with a claim of %d bytes: %v, want %v", n, err, want)
		}
	}
}
