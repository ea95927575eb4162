package main

import (
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

func clusterName(s settings.Setting, dst *string) settings.Setting {
	s.Empty = "empty: write a name, or leave it out"
	s.Set = func(v []string) error {
		if v[0] != "" { // else it is the default
			if err := server.CheckClusterName(v[0]); err != nil {
				return err
			}
		}
		*dst = v[0]
		return nil
	}
	return s
}

func advertised(s settings.Setting, dst *string) settings.Setting {
	s.Empty = "empty: write an address such as http://attic.local:3000, or leave --advertise out"
	s.Set = func(v []string) error {
		if v[0] != "" {
			if _, _, err := browser.ParseAddress(v[0]); err != nil {
				return err
			}
		}
		*dst = v[0]
		return nil
	}
	return s
}

func clusterPassword(s settings.Setting, dst *string, getenv func(string) string) settings.Setting {
	s.Preset = fromCredential(credentialCluster, getenv)
	s.Empty = "empty: name the file, or leave --cluster-password out"
	return settings.Path(s, dst)
}
