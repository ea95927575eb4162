package main

import (
	"fmt"

	"edgechat/browser"
	"edgechat/internal/settings"
	"edgechat/server"
)

// credentialCluster is what the password of a cluster's engine is called there.
const credentialCluster = "cluster-password"

func clusterAddress(s settings.Setting, dst *string) settings.Setting {
	s.Empty = "empty: name the engine, or leave --cluster out and have this server be alone"
	s.Shown = server.ShownCluster
	s.Set = func(v []string) error {
		*dst = v[0]
		return nil
	}
	return s
}

// checked is a text that check takes. Empty, it is the default.
func checked(s settings.Setting, dst *string, check func(string) error) settings.Setting {
	s.Set = func(v []string) error {
		if v[0] != "" {
			if err := check(v[0]); err != nil {
				return err
			}
		}
		*dst = v[0]
		return nil
	}
	return s
}

func clusterName(s settings.Setting, dst *string) settings.Setting {
	s.Empty, s.Allowed = "empty: write a name, or leave it out", "at most 40 letters, digits, - . and _"
	return checked(s, dst, server.CheckClusterName)
}

// nodeName may be longer than the name of a cluster: it may be its machine's.
func nodeName(s settings.Setting, dst *string) settings.Setting {
	s.Empty, s.Allowed = "empty: write a name, or leave it out", "at most 64 letters, digits, - . and _"
	return checked(s, dst, server.CheckNodeName)
}

// roleName is an identifier of PostgreSQL, which ends after 63 bytes and may have any letters in quotes.
func roleName(s settings.Setting, dst *string) settings.Setting {
	s.Empty, s.Allowed = "empty: write the name of the role, or leave --role out", "at most 63 bytes"
	return checked(s, dst, func(name string) error {
		if len(name) > 63 {
			return fmt.Errorf("%d bytes: a role of PostgreSQL has 63 at most", len(name))
		}
		return nil
	})
}

func advertised(s settings.Setting, dst *string) settings.Setting {
	s.Empty = "empty: write an address such as http://attic.local:3000, or leave --advertise out"
	return checked(s, dst, func(address string) error {
		_, _, err := browser.ParseAddress(address)
		return err
	})
}

func clusterPassword(s settings.Setting, dst *string, getenv func(string) string) settings.Setting {
	s.Preset = fromCredential(credentialCluster, getenv)
	s.Empty = "empty: name the file, or leave --cluster-password out"
	return settings.Path(s, dst)
}
