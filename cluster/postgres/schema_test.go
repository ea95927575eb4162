package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"edgechat/cluster"
)

// TestStatements: a role that may make nothing is a node once an administrator has run what Statements prints, and is none before.
func TestStatements(t *testing.T) {
	t.Parallel()
	s := serve(t)
	admin := s.open(t)
	defer admin.Close()
	if _, err := admin.exec(`create role "no""de" login`); err != nil {
		t.Fatal(err)
	}
	node, err := Open(Config{Address: s.Address() + ` user=no"de`, Name: "granted"})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	if st, err := node.State(t.Context()); err == nil {
		t.Fatalf("it may make a schema: %+v", st)
	}
	if err := admin.calls.do(t.Context(), func(ctx context.Context, c *pgconn.PgConn) error {
		_, err := c.Exec(ctx, node.Statements(`no"de`)).ReadAll()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	st, err := node.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := node.Lead(t.Context(), st.Run, "attic"); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := node.Open(t.Context(), st.Run, "attic", cluster.Epoch{N: 1, Name: "first", Start: 1}, nil); err != nil {
		t.Fatal(err)
	}
	out, err := node.Append(t.Context(), st.Run, 0, []cluster.Item{{Room: "den", Record: []byte("x")}})
	if err != nil || len(out) != 1 || out[0].Offset != 1 {
		t.Fatal(out, err)
	}
	if list, err := node.After(t.Context(), 0); err != nil || len(list) != 1 {
		t.Error(list, err)
	}
}
