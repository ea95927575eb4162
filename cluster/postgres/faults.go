package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"edgechat/cluster"
)

// isReply says that the server has answered with an error: the connection is good.
func isReply(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Severity == "ERROR" && !strings.HasPrefix(pg.Code, "57P") && !slices.Contains([]string{codeNoStatement, codeTwoStatements, codeOtherResult}, pg.Code)
}

// What functions of the schema raise.
const (
	codeUnverified = "EC001"
	// Of PostgreSQL's own: what is certain not to have been executed.
	codeReadOnly   = "25006"
	codeDiskFull   = "53100"
	codeNoRight    = "42501"
	codeNoTable    = "42P01"
	codeNoSchema   = "3F000"
	codeNoFunction = "42883"
	// Of a statement that was prepared: somebody has taken it away, or what it is of is another one now.
	codeNoStatement   = "26000"
	codeTwoStatements = "42P05" // or has made it: a pooler gave us another's connection
	codeOtherResult   = "0A000"
)

func understood(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case codeUnverified, codeNoTable, codeNoSchema, codeNoFunction:
		return fmt.Errorf("%w: %w", cluster.ErrUnverified, err)
	case codeReadOnly, codeDiskFull, codeNoRight:
		return fmt.Errorf("%w: %w", cluster.ErrRefused, err)
	case codeNoStatement, codeTwoStatements:
		return fmt.Errorf("%w: %w", errPooler, err)
	}
	return err
}

// errPooler is why a session does not have what it had: it is another one.
var errPooler = errors.New("a pooler between must give each session a connection of its own (session mode)")
