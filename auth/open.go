package auth

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// A file is what is read with care: a token file, or a key file.
type file struct {
	bad  error // what an error of its content is
	what string
	most int64 // bytes
}

var (
	tokenFile = file{ErrFile, "token file", maxFile}
	keyFile   = file{ErrKeyFile, "key file", maxKeyFile}
)

// readRegular returns what is in the file at path, which has to be one: a pipe or a device might never end, or never begin.
func readRegular(as file, path string) ([]byte, fs.FileInfo, error) {
	// Without O_NONBLOCK the open of a pipe waits for a writer, for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("auth: read %s: %w", as.what, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("auth: read %s: %w", as.what, err)
	}
	if !st.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%w: %s is %s, not a regular file: name the file itself", as.bad, path, kind(st.Mode()))
	}
	raw, err := io.ReadAll(io.LimitReader(f, as.most+1))
	if err != nil {
		return nil, nil, fmt.Errorf("auth: read %s: %w", as.what, err)
	}
	if int64(len(raw)) > as.most {
		return nil, nil, fmt.Errorf("%w: %s is larger than %d MiB", as.bad, path, as.most>>20)
	}
	return raw, st, nil
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}

// checkOwner complains of a file that others can change: who can, makes himself a token. They are whoever the
// mode lets in, and an owner who is neither root nor the user that this runs as.
func checkOwner(bad error, path string, st fs.FileInfo) error {
	if mode := st.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("%w: others can change %s (mode %04o), and so let in whom they like: chmod go-w %[2]s", bad, path, mode)
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && sys.Uid != 0 && int(sys.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to user %d, who can change it; this server runs as user %d: sudo chown %[4]d %[2]s", bad, path, sys.Uid, os.Geteuid())
	}
	return nil
}
