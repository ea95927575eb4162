package auth

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const hashA = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" // of "a"
const hashB = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d" // of "b"

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	path := write(t, "# who is who\n\n  # indented\n"+
		`{"name":"Ann","sha256":"`+hashA+`","access":"read","rooms":["den","nas-*"],"created":"2026-11-22T12:00:00Z"}`+"\r\n"+
		`{"name":"Bob","sha256":"`+strings.ToUpper(hashB)+`","access":"write"}`)
	tokens := must[*Tokens](t)(Load(path, nil))
	if tokens.Len() != 2 || tokens.Path() != path {
		t.Errorf("%d tokens of %s", tokens.Len(), tokens.Path())
	}
	ann, ok := tokens.Lookup("a")
	if !ok || ann.Name != "Ann" || ann.Access != Read || ann.Anonymous || strings.Join(ann.Rooms, " ") != "den nas-*" {
		t.Errorf("token a: %+v, %v", ann, ok)
	}
	if bob, ok := tokens.Lookup("b"); !ok || bob.Name != "Bob" || !bob.May(Write, "anywhere") {
		t.Errorf("token b: %+v, %v", bob, ok)
	}
	for _, wrong := range []string{"", "c", "A", hashA} {
		if id, ok := tokens.Lookup(wrong); ok || id != nil {
			t.Errorf("token %q is taken for %+v", wrong, id)
		}
	}
}

func TestBadFile(t *testing.T) {
	good := `{"name":"Ann","sha256":"` + hashA + `","access":"read"}`
	for _, test := range []struct{ line, want string }{
		{`Ann ` + hashA, "not a JSON object"},
		{`["Ann"]`, "not a JSON object"},
		{`null`, "is empty"},
		{good + good, "more after the JSON object"},
		{good + ` # Ann`, "more after the JSON object"},
		{`{"name":"Ann","sha256":"` + hashA + `","access":"read","room":["den"]}`, `unknown field "room"`},
		{`{"name":"","sha256":"` + hashA + `","access":"read"}`, "is empty"},
		{`{"name":"` + strings.Repeat("x", 33) + `","sha256":"` + hashA + `","access":"read"}`, "longer than 32"},
		{`{"name":"a\u202eb","sha256":"` + hashA + `","access":"read"}`, "U+202E"},
		{`{"name":"\u2800\u200d","sha256":"` + hashA + `","access":"read"}`, "cannot be seen"},
		{`{"name":" Ann","sha256":"` + hashA + `","access":"read"}`, "write \"Ann\""},
		{`{"name":"Ann","sha256":"abc","access":"read"}`, "64 hex digits"},
		{`{"name":"Ann","sha256":"` + hashA[:62] + `zz","access":"read"}`, "64 hex digits"},
		{`{"name":"Ann","access":"read"}`, "64 hex digits"},
		{`{"name":"Ann","sha256":"` + hashA + `"}`, "access of \"Ann\" is missing"},
		{`{"name":"Ann","sha256":"` + hashA + `","access":"root"}`, `"root" must be none, metrics, read, write, moderate or admin`},
		{`{"name":"Ann","sha256":"` + hashA + `","access":"admin","rooms":["den"]}`, "about the whole server"},
		{`{"name":"Ann","sha256":"` + hashA + `","access":"metrics","rooms":["*"]}`, "about the whole server"},
		{`{"name":"Ann","sha256":"` + hashA + `","access":"read","expires":"tomorrow"}`, "not a JSON object"},
		{`{"name":"Ann","sha256":"` + hashA + `","access":"read","expires":"1960-01-01T00:00:00Z"}`, "before 1970"},
		{`{"name":"Ann","sha256":"` + hashA + `","access":"read","rooms":[]}`, "rooms of \"Ann\" is empty"},
		{`{"name":"Ann","sha256":"` + hashA + `","access":"read","rooms":["a*b"]}`, "only at the end"},
		{`{"name":"Ann","sha256":"` + hashA + `","access":"read","rooms":["a b"]}`, "may not hold"},
		{`{"name":"Ann","sha256":"` + hashA + `","access":"read","rooms":[""]}`, "pattern is empty"},
		{`{"name":"Ann","sha256":"` + hashA + `","access":"read","rooms":["den","*","a b"]}`, "may not hold"},
		{`{"name":"Ann","sha256":"` + hashA + `","access":"read","created":"yesterday"}`, "not a JSON object"},
		{good + "\n" + `{"name":"Ann","sha256":"` + hashB + `","access":"read"}`, "that of line 2 too"},
		{good + "\n" + `{"name":"Bob","sha256":"` + hashA + `","access":"read"}`, "its own token"},
	} {
		path := write(t, "# comment\n"+test.line+"\n")
		_, err := Load(path, nil)
		if !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		n := 2 + strings.Count(test.line, "\n")
		if at := fmt.Sprintf("%s:%d: ", path, n); !strings.Contains(err.Error(), at) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error must say %q and %q: %v", test.line, at, test.want, err)
		}
	}
}

func TestLoadNotAFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "gone"), nil); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), dir) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load(dir, nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("folder: %v", err)
	}
	if _, err := Create(filepath.Join(dir, "gone", "tokens"), Grant{Name: "Ann", Access: Read}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("create in a folder that is missing: %v", err)
	}
	if err := Revoke(filepath.Join(dir, "tokens"), "Ann"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("revoke in a file that is missing: %v", err)
	}
}

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	token := must[string](t)(Create(path, Grant{Name: "Ann", Access: Read, Rooms: []string{"den", "nas-*"}}))
	if !strings.HasPrefix(token, "edc_") || len(token) != len("edc_")+43 {
		t.Errorf("token %q is not edc_ and 32 bytes in base64url", token)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("a new file has mode %v, %v; want 0600", st.Mode(), err)
	}
	raw := must[[]byte](t)(os.ReadFile(path))
	if bytes.Contains(raw, []byte(token[4:])) {
		t.Error("the file holds the token itself")
	}
	tokens := must[*Tokens](t)(Load(path, nil))
	if id, ok := tokens.Lookup(token); !ok || id.Name != "Ann" || !id.May(Read, "nas-1") || id.May(Write, "den") || id.May(Read, "hall") {
		t.Errorf("the token stands for %+v, %v", id, ok)
	}
	if _, err := Create(path, Grant{Name: "Ann", Access: Write}); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), path+":1") {
		t.Errorf("same name: %v", err)
	}
	for name, create := range map[string]func() (string, error){
		"empty name": func() (string, error) { return Create(path, Grant{Name: "", Access: Read}) },
		"control":    func() (string, error) { return Create(path, Grant{Name: "a\nb", Access: Read}) },
		"unset":      func() (string, error) { return Create(path, Grant{Name: "Bob", Access: Unset}) },
		"range":      func() (string, error) { return Create(path, Grant{Name: "Bob", Access: 9}) },
		"pattern":    func() (string, error) { return Create(path, Grant{Name: "Bob", Access: Read, Rooms: []string{"*x"}}) },
	} {
		if _, err := create(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now := must[[]byte](t)(os.ReadFile(path)); !bytes.Equal(now, raw) {
		t.Error("a refused token changed the file")
	}
	list := must[[]Token](t)(List(path))
	if len(list) != 1 || list[0].Name != "Ann" || time.Since(list[0].Created) > time.Minute {
		t.Errorf("list: %+v", list)
	}
}

// An edit keeps comments, order, mode, and a link in place of the file.
func TestEditKeeps(t *testing.T) {
	text := "# top\n" + `{"name":"Ann","sha256":"` + hashA + `","access":"read"}` + "\n\n# end"
	path := write(t, text)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	must[string](t)(Create(link, Grant{Name: "Bob", Access: Write}))
	raw := string(must[[]byte](t)(os.ReadFile(path)))
	if !strings.HasPrefix(raw, text+"\n{") || !strings.HasSuffix(raw, "}\n") {
		t.Errorf("after create:\n%s", raw)
	}
	if err := Revoke(link, "Ann"); err != nil {
		t.Fatal(err)
	}
	raw = string(must[[]byte](t)(os.ReadFile(path)))
	if !strings.HasPrefix(raw, "# top\n\n# end\n{\"name\":\"Bob\"") {
		t.Errorf("after revoke:\n%s", raw)
	}
	if err := Revoke(link, "Ann"); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoke twice: %v", err)
	}
	if st := must[os.FileInfo](t)(os.Lstat(link)); st.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	if st := must[os.FileInfo](t)(os.Stat(path)); st.Mode().Perm() != 0o640 {
		t.Errorf("mode became %v", st.Mode())
	}
	if left := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(path))); len(left) != 1 {
		t.Errorf("files left over: %v", left)
	}
}

func TestCreateConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	const n = 20
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := Create(path, Grant{Name: fmt.Sprintf("user %d", i), Access: Read}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := must[*Tokens](t)(Load(path, nil)).Len(); got != n {
		t.Errorf("%d of %d tokens survived", got, n)
	}
}

func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	ann := must[string](t)(Create(path, Grant{Name: "Ann", Access: Read}))
	tokens := must[*Tokens](t)(Load(path, nil))
	bob := must[string](t)(Create(path, Grant{Name: "Bob", Access: Read}))
	if _, ok := tokens.Lookup(bob); ok {
		t.Error("a new token counts before Reload")
	}

	// Lookups go on while the set is replaced; Ann is in every one of them.
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if id, ok := tokens.Lookup(ann); !ok || id.Name != "Ann" {
					t.Error("Ann was gone for a moment")
					return
				}
			}
		})
	}
	for range 20 {
		if err := tokens.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
	if _, ok := tokens.Lookup(bob); !ok {
		t.Error("Bob is missing after Reload")
	}

	if err := os.WriteFile(path, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tokens.Reload(); !errors.Is(err, ErrFile) {
		t.Errorf("reload of nonsense: %v", err)
	}
	if _, ok := tokens.Lookup(ann); !ok || tokens.Len() != 2 {
		t.Error("a failed Reload changed the tokens")
	}

	if err := os.WriteFile(path, []byte("# nobody"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tokens.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, ok := tokens.Lookup(ann); ok {
		t.Error("a revoked token still counts after Reload")
	}
}

func TestModeWarning(t *testing.T) {
	for mode, want := range map[os.FileMode]string{
		0o600: "", 0o640: "", 0o611: "", 0o644: "can be read by others", 0o604: "can be read by others",
	} {
		path := write(t, `{"name":"Ann","sha256":"`+hashA+`","access":"read"}`)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		must[*Tokens](t)(Load(path, slog.New(slog.NewTextHandler(&b, nil))))
		if got := b.String(); want == "" && got != "" || !strings.Contains(got, want) || want != "" && !strings.Contains(got, path) {
			t.Errorf("mode %o: log %q, want %q and the path", mode, got, want)
		}
		must[*Tokens](t)(Load(path, nil)) // says it to nobody
	}
}
