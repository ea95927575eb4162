package edgechat_test

import (
	"slices"
	"testing"
)

// The modules that end up in the binary. A module that is not here was not
// weighed: an edge board pays for each in memory, in start-up time and in what has
// to be followed for security fixes.
var productModules = map[string]string{
	"github.com/tinylib/msgp":             "MessagePack",
	"github.com/philhofer/fwd":            "msgp's readers",
	"github.com/lxzan/gws":                "the WebSocket parser",
	"github.com/klauspost/compress":       "gws's permessage-deflate",
	"github.com/julienschmidt/httprouter": "routes",
	"go.etcd.io/bbolt":                    "the store's file",
	"golang.org/x/sys":                    "bbolt's system calls",
	"rsc.io/qr":                           "the QR code of an invitation; it has no tables of kanji, which others fill at start with half a megabyte",
	"golang.org/x/term":                   "the line that is typed in join, which what others say must not tear",
	"golang.org/x/text":                   "PRECIS, for names",
	"go.mau.fi/util":                      "what looks alike, for names",
	"github.com/gomodule/redigo":          "the Redis client, which sends nothing twice",
	"github.com/jackc/pgx/v5":             "the PostgreSQL client, of which pgconn alone is used, which sends nothing twice",
	"github.com/jackc/pgpassfile":         "pgconn's password file",
	"github.com/jackc/pgservicefile":      "pgconn's service file",
	"github.com/golang-jwt/jwt/v5":        "the form and the signature of signed tokens",
}

// The modules that tests may import besides.
var testModules = map[string]string{
	"github.com/hanwen/go-fuse":       "the device of internal/faultydisk: a card that fails needs a server below the kernel's file system",
	"github.com/rogpeppe/go-internal": "testscript, for the command line",
}

// The binary holds the modules of productModules and no others: no test helper, no
// generator, nothing that came along unseen.
func TestProductModules(t *testing.T) {
	seen := map[string]bool{}
	for _, platform := range platforms {
		for _, p := range goList(t, platform, "-deps", "./cmd/edgechat") {
			if p.Standard || p.Module == nil || p.Module.Path == modulePath {
				if slices.Contains(testPackages, dirOf(p.ImportPath)) {
					t.Errorf("cmd/edgechat => %s on %s: only tests may import it", p.ImportPath, platform)
				}
				continue
			}
			seen[p.Module.Path] = true
			if productModules[p.Module.Path] == "" {
				t.Errorf("cmd/edgechat => %s on %s: module %s is not in productModules (go mod why %[3]s shows the way in)", p.ImportPath, platform, p.Module.Path)
			}
		}
	}
	for m := range productModules {
		if !seen[m] {
			t.Errorf("module %s is in productModules and in no binary: remove the row", m)
		}
	}
}
