package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os/user"
	"strconv"
	"syscall"

	"edgechat/auth"
	"edgechat/store"
)

// serveFailure adds what to do about an error of the server.
func serveFailure(err error, o *options) error {
	f := &failure{errs: []error{err}, code: 1}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "listen" {
		f.hint = listenHint(op)
	} else if errors.Is(err, auth.ErrKeyFile) || o.JWTKey != "" && isPathOf(err, o.JWTKey) {
		f.hint = keyHint(err, o.JWTKey)
	} else if errors.Is(err, auth.ErrFile) || o.Tokens != "" && isPathOf(err, o.Tokens) {
		f.hint = tokenHint(err, o.Tokens)
	} else {
		f.hint = dataHint(err, o.Data)
	}
	return f
}

// keyHint says what to do about a key file that cannot be read. What is wrong with its content says it itself.
func keyHint(err error, file string) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "name the file that holds the public key or the secret of whoever signs the tokens: --jwt-key FILE"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("user %s may not read it: sudo chown %[1]s %s", userName(), file)
	}
	return ""
}

func listenHint(op *net.OpError) string {
	port := 0
	if tcp, ok := op.Addr.(*net.TCPAddr); ok {
		port = tcp.Port
	}
	switch {
	case errors.Is(op, syscall.EADDRINUSE) && port == 0:
		return fmt.Sprintf("another server listens there: sudo ss -lxp | grep %s", op.Addr)
	case errors.Is(op, syscall.EADDRINUSE):
		return fmt.Sprintf("see who has port %d: sudo ss -ltnp 'sport = :%[1]d', or take another: edgechat serve --listen :%d", port, port%65535+1)
	case errors.Is(op, fs.ErrPermission) && 0 < port && port < 1024:
		return fmt.Sprintf("ports below 1024 are root's; take another: edgechat serve --listen :%d", 8000+port)
	case errors.Is(op, fs.ErrPermission):
		return fmt.Sprintf("user %s may not listen there: choose another place with --listen", userName())
	case errors.Is(op, syscall.EADDRNOTAVAIL):
		return "this machine does not have that address: ip -brief address"
	}
	return ""
}

// dataHint says what to do about a data folder that cannot be used.
func dataHint(err error, folder string) string {
	switch {
	case errors.Is(err, store.ErrLocked):
		return "stop that process (sudo systemctl stop edgechat, or kill PID), or choose another folder: edgechat serve --data FOLDER"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("user %s may not write there: sudo chown -R %[1]s %s, or choose another place with --data", userName(), folder)
	case errors.Is(err, syscall.EROFS):
		return "that file system is mounted read-only: choose another place with --data"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, fs.ErrExist):
		return "a file is in the way: choose a folder with --data"
	case errors.Is(err, fs.ErrNotExist):
		return "choose a folder that can be made: edgechat serve --data FOLDER"
	}
	return ""
}

func isPathOf(err error, path string) bool {
	p, ok := errors.AsType[*fs.PathError](err)
	return ok && p.Path == path
}

// userName names who runs this, for a chown.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(syscall.Getuid())
}
