// Package loop is an event loop over epoll: one goroutine that serves sources, of
// which each has its share of a turn and no more. It knows nothing of WebSocket.
//
// A [Source] is a descriptor with something to read or write: a connection, a [Door]
// with a backlog. What epoll reports marks a source and puts it on the loop's ready
// list, once; so does [Node.Ready], from any goroutine. A turn takes each source of the list
// as it was at its beginning, and puts back who has more than its budget. Nothing
// depends on an edge that was not drained: who said that there is more is on the list,
// whatever epoll says, and before a loop waits its list is empty and epoll has
// reported all that it has.
//
// What the turn's sources have put off ([Loop.Later]) runs behind them: each such function once a
// turn, for as long as it returns true.
//
// The one rule for callers: nothing that runs on a loop may wait. Ready, Post, Watch
// and Unwatch may be called from any goroutine, all else on the loop alone.
package loop
