// Package settings is the table that flags, environment variables, their help, "edgechat
// config", the documents and the files of the packages come from: what a setting is called,
// what it takes, and how its text becomes a value.
//
// It knows no setting: each command lists its own, with the constructors here (Number,
// Duration, Choice...), which put the allowed range into words, so that help, documents and
// errors cannot disagree with the check. Nothing here is safe for concurrent use.
package settings

import "strings"

// A Setting is one row of the table.
type Setting struct {
	Name        string // of the flag, without dashes
	Takes       string // what kind of value, for help: "DURATION"; "" stands alone
	Default     string // as a user would write it; "" if Preset finds it
	DefaultText string // the default in words, for help; "" means Default
	Allowed     string // what is allowed, in words
	Usage       string // one line
	List        bool   // may be repeated, and takes several separated by commas
	NoEnv       bool   // no environment variable
	Empty       string // what is wrong with a flag whose value is empty; "" leaves that to Set

	// Preset finds a default that depends on something, and where it came from.
	// Settings are resolved in order, so it may look at those before it.
	Preset func() (value, from string)

	// Set checks the values (one, unless List) and stores them.
	Set func(values []string) error

	// Shown is how a value is printed, if not as it is: one that holds a password.
	Shown func(value string) string

	bare bool // the flag may stand without a value, which is "true" then
}

// EnvPrefix is what the variable of every setting begins with.
const EnvPrefix = "EDGECHAT_"

// Env is the environment variable of the setting, or "".
func (s *Setting) Env() string {
	if s.NoEnv {
		return ""
	}
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Limits says in words what is allowed and what the default is.
func (s *Setting) Limits() string {
	def := s.DefaultText
	if def == "" {
		def = s.Default
	}
	if def == "" {
		def = "none"
	}
	if s.Allowed == "" {
		return "default " + def
	}
	return s.Allowed + "; default " + def
}
