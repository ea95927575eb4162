// Package edgechat_test checks the tree as a whole: who imports whom, and that
// the documents say what the code does.
package edgechat_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const modulePath = "edgechat"

// A row says where a package stands and what it may import besides the
// standard library: packages of this module by their directory, others by their
// import path.
type row struct {
	level int
	dir   string
	may   []string
}

// The table of ARCHITECTURE.md. Nothing imports within its level or above it, so
// that the hub never learns of files and the store never learns of sockets:
// they meet in server.
var table = []row{
	{0, "refusal", nil},
	{0, "names", []string{"golang.org/x/text/secure/precis", "golang.org/x/text/secure/bidirule", "golang.org/x/text/unicode/bidi", "golang.org/x/text/unicode/norm", "golang.org/x/text/cases", "go.mau.fi/util/confusable"}},
	{0, "limit", nil},
	{0, "systemd", nil},
	{0, "internal/settings", nil},
	{0, "internal/doctor", nil},
	{0, "client", []string{"github.com/lxzan/gws"}},
	{0, "metrics", nil},
	{0, "store/wal", nil},
	{0, "internal/durable", nil},
	{0, "ws/internal/frame", nil},
	{0, "ws/internal/loop", nil},
	{0, "trust", nil},
	{0, "captive", nil},
	{1, "ws/internal/outbox", []string{"refusal", "ws/internal/frame"}},
	{1, "internal/load", []string{"client", "github.com/tinylib/msgp/msgp"}},
	{1, "web", []string{"refusal", "rsc.io/qr"}},
	{1, "codec", []string{"names", "refusal", "github.com/tinylib/msgp/msgp"}},
	{1, "browser", []string{"refusal"}},
	{1, "moderation", []string{"names", "refusal", "internal/durable"}},
	{1, "cert", []string{"internal/durable"}},
	{2, "admin", []string{"names", "refusal", "metrics", "moderation"}},
	{2, "auth", []string{"names", "refusal", "codec", "internal/durable", "github.com/golang-jwt/jwt/v5"}},
	{2, "ws", []string{"limit", "refusal", "ws/internal/frame", "ws/internal/loop", "ws/internal/outbox", "github.com/lxzan/gws", "github.com/julienschmidt/httprouter"}},
	{2, "hub", []string{"refusal", "codec", "metrics"}},
	{2, "store", []string{"codec", "metrics", "internal/durable", "store/wal", "go.etcd.io/bbolt", "go.etcd.io/bbolt/errors", "golang.org/x/sys/unix"}},
	{3, "cluster", []string{"codec", "metrics", "store"}},
	{3, "hub/logtest", []string{"codec", "hub"}},
	{3, "chat", []string{"limit", "refusal", "codec", "moderation", "auth", "hub", "ws"}},
	{4, "cluster/redis", []string{"cluster", "github.com/gomodule/redigo/redis"}},
	{4, "cluster/postgres", []string{"cluster", "github.com/jackc/pgx/v5/pgconn"}},
	{4, "cluster/clustertest", []string{"moderation", "codec", "hub", "store", "cluster", "hub/logtest"}},
	{5, "server", []string{"limit", "refusal", "metrics", "codec", "moderation", "admin", "auth", "browser", "captive", "cert", "trust", "ws", "web", "hub", "store", "cluster", "chat", "cluster/redis", "cluster/postgres"}},
	{6, "cmd/edgechat", []string{"client", "golang.org/x/sys/unix", "golang.org/x/term", "rsc.io/qr", "moderation", "admin", "limit", "browser", "captive", "cert", "web", "codec", "auth", "ws", "store", "chat", "server", "systemd", "internal/durable", "internal/load", "internal/settings", "internal/doctor"}},
}

// What tests share; no product package imports it.
var testPackages = []string{"internal/edgetest", "internal/edgetest/hostile", "internal/faultydisk", "test/devices"}

// Files differ by system, and so may imports.
var platforms = []string{"linux/amd64", "linux/arm64", "linux/arm", "darwin/arm64"}

func TestImports(t *testing.T) {
	for _, platform := range platforms {
		t.Run(platform, func(t *testing.T) {
			for _, p := range goList(t, platform, "./...") {
				dir := dirOf(p.ImportPath)
				if dir == "." || slices.Contains(testPackages, dir) {
					continue
				}
				i := slices.IndexFunc(table, func(r row) bool { return r.dir == dir })
				if i < 0 {
					continue // TestTableMatchesTree reports it
				}
				for _, imported := range p.Imports {
					if why := refuse(table[i], imported); why != "" {
						t.Errorf("%s => %s: %s", dir, dirOf(imported), why)
					}
				}
			}
		})
	}
}

// refuse says why the package of r may not import what is named, or "".
func refuse(r row, imported string) string {
	first, _, _ := strings.Cut(imported, "/")
	if first != modulePath && !strings.Contains(first, ".") {
		return "" // the standard library
	}
	dir := dirOf(imported)
	if slices.Contains(testPackages, dir) {
		return "only tests may import it"
	}
	if i := slices.IndexFunc(table, func(o row) bool { return o.dir == dir }); i >= 0 {
		switch o := table[i]; {
		case o.level == r.level:
			return fmt.Sprintf("both are level %d, and nothing imports within its level", r.level)
		case o.level > r.level:
			return fmt.Sprintf("level %d may not import level %d", r.level, o.level)
		}
	}
	if !slices.Contains(r.may, dir) {
		return fmt.Sprintf("not in the row of %s, which may import %s", r.dir, strings.Join(append([]string{"the standard library"}, r.may...), ", "))
	}
	return ""
}

func TestTestImports(t *testing.T) {
	for _, p := range goList(t, platforms[0], "./...") {
		dir := dirOf(p.ImportPath)
		if slices.Contains(testPackages, dir) {
			for _, imported := range p.Imports {
				first, _, _ := strings.Cut(imported, "/")
				if first == modulePath {
					t.Errorf("%s => %s: what tests share imports no package of this module, or a product package's tests could import themselves", dir, imported)
				} else if strings.Contains(first, ".") && moduleOf(imported, productModules) == "" && moduleOf(imported, testModules) == "" {
					t.Errorf("%s => %s: its module is in neither list of arch_test.go", dir, imported)
				}
			}
		}
		for _, imported := range append(p.TestImports, p.XTestImports...) {
			if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
				continue
			}
			if moduleOf(imported, productModules) == "" && moduleOf(imported, testModules) == "" {
				t.Errorf("tests of %s => %s: its module is in neither list of arch_test.go", dir, imported)
			}
		}
	}
}

// Every package has a row and every row has a directory, and a row's permissions
// are themselves in order.
func TestTableMatchesTree(t *testing.T) {
	var inTree []string
	for _, p := range goList(t, platforms[0], "./...") {
		inTree = append(inTree, dirOf(p.ImportPath))
	}
	known := append([]string{"."}, testPackages...)
	for _, r := range table {
		known = append(known, r.dir)
		if !slices.Contains(inTree, r.dir) {
			t.Errorf("%s is in the table and is no package", r.dir)
		}
		for _, may := range r.may {
			i := slices.IndexFunc(table, func(o row) bool { return o.dir == may })
			if i >= 0 && table[i].level >= r.level {
				t.Errorf("%s => %s: the table contradicts itself: level %d may not import level %d", r.dir, may, r.level, table[i].level)
			}
		}
	}
	for _, dir := range inTree {
		if !slices.Contains(known, dir) {
			t.Errorf("package %s has no row in the table of arch_test.go", dir)
		}
	}
	// go list leaves out what no platform builds, a directory of Go files behind a
	// stray build tag for one.
	err := filepath.WalkDir(".", func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if base := d.Name(); name != "." && (base == "testdata" || base == "node_modules" || base[0] == '.' || base[0] == '_') {
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && name != "." {
			return filepath.SkipDir // a module of its own
		}
		files, err := filepath.Glob(filepath.Join(name, "*.go"))
		if err == nil && len(files) > 0 && !slices.Contains(inTree, filepath.ToSlash(name)) {
			t.Errorf("%s holds Go files that go list ./... does not see", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A right that no file uses on any platform is a door left open.
func TestRightsAreUsed(t *testing.T) {
	used := map[[2]string]bool{}
	for _, platform := range platforms {
		for _, p := range goList(t, platform, "./...") {
			for _, imported := range p.Imports {
				used[[2]string{dirOf(p.ImportPath), dirOf(imported)}] = true
			}
		}
	}
	for _, r := range table {
		for _, may := range r.may {
			if !used[[2]string{r.dir, may}] {
				t.Errorf("%s may import %s and does not: remove it from the row", r.dir, may)
			}
		}
	}
}

// ARCHITECTURE.md shows the same table.
func TestTableIsDocumented(t *testing.T) {
	var documented, want []string
	for _, r := range regexp.MustCompile("(?m)^\\| (\\d) \\| `([a-z/]+)` \\| [^|]+ \\| ([^|]+) \\|$").FindAllStringSubmatch(read(t, "ARCHITECTURE.md"), -1) {
		documented = append(documented, strings.Join(r[1:], " "))
	}
	for _, r := range table {
		var may []string
		for _, m := range r.may {
			if module := moduleOf(m, productModules); module != "" {
				m = path.Base(regexp.MustCompile(`/v\d+$`).ReplaceAllString(module, ""))
			}
			if !slices.Contains(may, m) {
				may = append(may, m)
			}
		}
		if may == nil {
			may = []string{"-"}
		}
		want = append(want, fmt.Sprint(r.level, " ", r.dir, " ", strings.Join(may, ", ")))
	}
	if !slices.Equal(documented, want) {
		t.Errorf("the table of ARCHITECTURE.md:\n%s\nthat of arch_test.go:\n%s", strings.Join(documented, "\n"), strings.Join(want, "\n"))
	}
}

// The rules themselves are tested, so that a slip in refuse does not pass everything.
func TestRefuse(t *testing.T) {
	rows := map[string]row{}
	for _, r := range table {
		rows[r.dir] = r
	}
	for _, c := range []struct {
		from, imported string
		want           string // a part of the reason; "" for allowed
	}{
		{"hub", "edgechat/codec", ""},
		{"hub", "net/http", ""},
		{"hub", "edgechat/store", "within its level"},
		{"store", "edgechat/hub", "within its level"},
		{"codec", "edgechat/hub", "level 1 may not import level 2"},
		{"ws", "edgechat/hub", "within its level"},
		{"chat", "edgechat/store", "not in the row"},
		{"server", "edgechat/internal/edgetest", "only tests"},
		{"hub", "go.etcd.io/bbolt", "not in the row"},
		{"store", "edgechat/internal/faultydisk", "only tests"},
		{"cmd/edgechat", "github.com/rogpeppe/go-internal/testscript", "not in the row"},
	} {
		why := refuse(rows[c.from], c.imported)
		if (c.want == "") != (why == "") || !strings.Contains(why, c.want) {
			t.Errorf("refuse(%s => %s) = %q, want %q in it", c.from, c.imported, why, c.want)
		}
	}
}
