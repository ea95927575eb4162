// Package hostile has clients that misbehave, and what is measured beside them, against the
// real program: a server as a process of its own, floods, crowds, and a quiet pair of people whose
// messages must not be late for any of that. It is for tests alone.
//
// The one rule: a client that is measured shares no process with one that floods. So each of
// them is this test binary, run again (see init), which does one [Task] and prints its result.
package hostile
