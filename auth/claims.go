package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"edgechat/codec"
)

// nbfLeeway is how long before its nbf a signed token counts: the clock of a small board is seldom quite right. There is none for
// exp, as there is none for the tokens of a file.
const nbfLeeway = 30 * time.Second

// maxSubject bounds the claim sub, in bytes.
const maxSubject = 255

// A ClaimError says why a signed token is refused whose signature may well be right. Its text names the claim, is for whoever makes
// the tokens, and shows nothing of this one. It is an ErrBadToken. Answer 401.
type ClaimError struct{ Why string }

func (e *ClaimError) Error() string { return "auth: " + e.Why }

// Unwrap returns ErrBadToken.
func (e *ClaimError) Unwrap() error { return ErrBadToken }

func badClaim(format string, args ...any) error { return &ClaimError{fmt.Sprintf(format, args...)} }

// claims are those of a signed token by their exact names: a struct's fields would be matched in any case.
type claims map[string]json.RawMessage

// read decodes a claim into dst; there is none if it is missing or null.
func (c claims) read(name, form string, dst any) (there bool, err error) {
	raw, ok := c[name]
	if !ok || bytes.Equal(raw, []byte("null")) {
		return false, nil
	}
	if json.Unmarshal(raw, dst) != nil { // the error quotes it
		return false, badClaim("the claim %s must be %s", name, form)
	}
	return true, nil
}

// time reads a NumericDate (RFC 7519, section 2).
func (c claims) time(name string) (*jwt.NumericDate, error) {
	var at float64
	switch there, err := c.read(name, "a number of seconds since 1970", &at); {
	case err != nil || !there:
		return nil, err
	case at < 1 || at > 253402300799: // the year 9999
		return nil, badClaim("the claim %s must be a number of seconds since 1970, of a year before 10000", name)
	}
	return &jwt.NumericDate{Time: time.Unix(int64(math.Floor(at)), 0)}, nil
}

// text reads a string.
func (c claims) text(name string) (s string, err error) {
	_, err = c.read(name, "a string", &s)
	return s, err
}

// GetExpirationTime and those below make claims a jwt.Claims.
func (c claims) GetExpirationTime() (*jwt.NumericDate, error) {
	at, err := c.time("exp")
	if err == nil && at == nil {
		err = badClaim("the claim exp is missing: say when the token expires, in seconds since 1970")
	}
	return at, err
}

// GetNotBefore is early by nbfLeeway.
func (c claims) GetNotBefore() (*jwt.NumericDate, error) {
	at, err := c.time("nbf")
	if at != nil {
		at.Time = at.Add(-nbfLeeway)
	}
	return at, err
}

func (c claims) GetIssuedAt() (*jwt.NumericDate, error) { return c.time("iat") }
func (c claims) GetIssuer() (string, error)             { return c.text("iss") }
func (c claims) GetSubject() (string, error)            { return c.text("sub") }

// GetAudience takes a string for a list of one (RFC 7519, section 4.1.3).
func (c claims) GetAudience() (jwt.ClaimStrings, error) {
	var one string
	if there, err := c.read("aud", "a string or a list of strings", &one); err == nil {
		if !there {
			return nil, nil
		}
		return jwt.ClaimStrings{one}, nil
	}
	var list []string
	_, err := c.read("aud", "a string or a list of strings", &list)
	return list, err
}

// identity is who c is about.
func (c claims) identity() (*Identity, error) {
	exp, err := c.GetExpirationTime()
	if err != nil {
		return nil, err
	}
	id := &Identity{Expires: exp.Unix()}
	if id.subject, err = c.GetSubject(); err != nil {
		return nil, err
	}
	if id.subject == "" || len(id.subject) > maxSubject {
		return nil, badClaim("the claim sub is missing, empty or longer than %d bytes: name whom the token is for, the same at all times", maxSubject)
	}
	from := "name"
	if id.Name, err = c.text(from); err != nil {
		return nil, err
	}
	if id.Name == "" {
		id.Name, from = id.subject, "sub"
	}
	if id.Name, err = codec.CleanUsername(id.Name); err != nil {
		more := ""
		if from == "sub" {
			more = "; a claim name would be used in its place"
		}
		return nil, badClaim("the claim %s cannot be a username: %s%s", from, reason(err), more)
	}
	return id, c.rights(id)
}

// rights reads what id may do, and where. The errors do not show what is there.
func (c claims) rights(id *Identity) error {
	const words = "none, metrics, read, write, moderate or admin"
	var word string
	switch there, err := c.read("access", "a string: "+words, &word); {
	case err != nil:
		return err
	case !there:
		return badClaim("the claim access is missing: it must be %s", words)
	}
	if id.Access.UnmarshalText([]byte(word)) != nil {
		return badClaim("the claim access must be %s", words)
	}
	switch there, err := c.read("rooms", "a list of strings", &id.Rooms); {
	case err != nil:
		return err
	case there && len(id.Rooms) == 0:
		return badClaim(`the claim rooms is empty: leave it out, or write ["*"], for all rooms`)
	case there && id.Access.wholeServer():
		return badClaim("the access %v is about the whole server: leave the claim rooms out", id.Access)
	}
	for i, p := range id.Rooms {
		if checkPattern(p) != nil {
			return badClaim("the claim rooms: number %d is neither the name of a room, in the form in which rooms are compared, nor the beginning of one with * behind it", i+1)
		}
	}
	return nil
}

// claimError returns what keeps c from counting, of what the library found.
func claimError(err error) error {
	if e, ok := errors.AsType[*ClaimError](err); ok {
		return e
	}
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return ErrExpired
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return badClaim("the token is not valid yet (nbf): wait, or set the clock of the server or of whoever made it")
	case errors.Is(err, jwt.ErrTokenInvalidAudience), errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return badClaim("the token is for somebody else: the claim aud must be, or have in its list, what --jwt-audience says")
	}
	return ErrBadToken
}
