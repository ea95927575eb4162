package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"edgechat/admin"
)

// TestAdminFailure: who may not open the socket is told so, and not that no server is there.
func TestAdminFailure(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	_, none := admin.NewClient(socket).Status(context.Background())
	if !errors.Is(none, admin.ErrNoServer) {
		t.Fatal(none)
	}
	refused := errors.Join(admin.ErrNoServer, os.NewSyscallError("connect", syscall.EACCES))
	for _, c := range []struct {
		err             error
		said, not, hint string
	}{
		{none, "no server answers at the admin socket", "may not open", "does the server run, with --admin " + socket},
		{refused, "user " + userName() + " may not open the admin socket " + socket + ": permission denied", "no server", "sudo usermod -aG edgechat " + userName()},
		{errors.New("admin: 503"), "admin: 503", "may not", ""},
	} {
		f, ok := errors.AsType[*failure](adminFailure(c.err, socket))
		if !ok || !strings.Contains(f.Error(), c.said) || strings.Contains(f.Error(), c.not) || !strings.Contains(f.hint, c.hint) {
			t.Errorf("%v: %+v", c.err, f)
		}
	}
}
