package server

import (
	"strconv"

	"edgechat/store"
)

// A family is a row of /metrics.
type family struct {
	name string // after edgechat_; it ends in _total if it is a counter
	help string
	read func(l *look) any // number, Durations or []labelled
}

// families are all that /metrics has. Each is explained where it is counted: in the Stats of its package. A field of these
// that no family carries fails TestEveryCount.
var families = []family{
	// The process.
	{"build_info", "A constant 1, with the version.", func(l *look) any { return []labelled{{1, []string{"version", l.version, "go", l.compiler}}} }},
	{"uptime_seconds", "Time since the start.", func(l *look) any { return l.uptime }},
	{"resident_memory_bytes", "Memory that the process takes; 0 if the kernel does not say.", func(l *look) any { return l.resident }},
	{"heap_bytes", "Memory of the objects on the heap.", func(l *look) any { return l.mem.heap }},
	{"memory_limit_bytes", "GOMEMLIMIT, the soft limit of what Go's runtime holds; 0 is none.", func(l *look) any { return l.mem.limit }},
	{"gc_cycles_total", "Garbage collections.", func(l *look) any { return l.mem.cycles }},
	{"goroutines", "Goroutines.", func(l *look) any { return l.goroutines }},
	{"descriptors", "Descriptors that are open.", func(l *look) any { return l.descriptors }},
	{"descriptors_limit", "Descriptors that may be open.", func(l *look) any { return l.allowed }},
	{"disk_written_bytes_total", "Bytes that the kernel was given for disks by this process; 0 if it does not say.", func(l *look) any { return l.disk }},
	{"log_lines_dropped_total", "Lines of the log that nobody read fast enough.", func(l *look) any { return l.dropped }},
	// Connections, as ws.Stats has them.
	{"connections", "Connections that are open, by kind; waiting ones have said nothing yet.", func(l *look) any {
		return by("kind", "websocket", l.WS.Open, "stream", l.WS.Feeds, "http", l.requests, "waiting", l.WS.Waiting)
	}},
	{"plain_connections", "Connections that are no WebSockets or streams, the waiting and the idle ones included.", func(l *look) any { return l.WS.Plain }},
	{"websockets_accepted_total", "WebSockets that were opened.", func(l *look) any { return l.WS.Accepted }},
	{"websockets_closed_total", "WebSockets that ended, by close code; 1006 is none, other is one that clients choose.", func(l *look) any { return byKey("code", l.WS.ClosedBy, closeCode) }},
	{"streams_opened_total", "Answers over plain HTTP without an end that were begun.", func(l *look) any { return l.WS.FeedsOpened }},
	{"streams_closed_total", "Streams that ended, by close code as of a WebSocket; 1006 is by the reader.", func(l *look) any { return byKey("code", l.WS.FeedsClosedBy, closeCode) }},
	{"requests_waiting", "Requests that wait for a message.", func(l *look) any { return l.WS.Waits }},
	{"requests_refused_total", "Requests and handshakes that were refused, by reason.", func(l *look) any { return byKey("reason", l.WS.RefusedBy, text) }},
	{"frames_rejected_total", "Frames of clients that were answered with an error, by reason.", func(l *look) any { return byKey("reason", l.Chat.Rejected, text) }},
	{"messages_undecodable_total", "Messages of clients that could not be read as such.", func(l *look) any { return l.WS.Invalid }},
	{"limited_total", "Messages, requests and connections that were refused or ended by a limit, by its name.", func(l *look) any { return limited(l) }},
	{"moderation_rules", "Bans, mutes and rules of rooms that are in force, by kind.", func(l *look) any { return byKey("kind", l.Chat.Moderation.Rules, text) }},
	{"moderation_acts_total", "What moderators did, by act.", func(l *look) any { return byKey("act", l.Chat.Moderation.Acts, text) }},
	{"moderation_refusals_total", "Requests and frames that were refused by what moderators decided, by reason.", func(l *look) any { return byKey("reason", l.Chat.Moderation.Refused, text) }},
	{"moderation_ended", "Rules that were ended in the last 30 days, as other nodes of a cluster have to know.", func(l *look) any { return l.Chat.Moderation.Ended }},
	{"moderation_taken_total", "Decisions of other nodes that were taken over.", func(l *look) any { return l.Chat.Moderation.Taken }},
	{"moderation_unfit_total", "Decisions of other nodes that were not, since there are too many or this version does not know them.", func(l *look) any { return l.Chat.Moderation.Unfit }},
	{"moderation_write_failures_total", "Times that the file of rules could not be written.", func(l *look) any { return l.Chat.Moderation.Failed }},
	{"slow_consumers_total", "Connections closed since they took too little of what was pending.", func(l *look) any { return l.WS.Slow }},
	{"silent_connections_total", "Connections dropped after two ping intervals of silence.", func(l *look) any { return l.WS.Silent }},
	{"stalled_messages_total", "Connections closed since a message took too long to arrive.", func(l *look) any { return l.WS.Stalled }},
	{"protocol_violations_total", "Connections closed for frames against RFC 6455 or over a limit.", func(l *look) any { return l.WS.Violated }},
	{"connections_turned_away_total", "Connections that were not taken since all descriptors but a reserve are in use.", func(l *look) any { return l.WS.Crowded }},
	{"turning_away", "1 if a connection was turned away within the last minute.", func(l *look) any { return l.WS.Crowding }},
	{"accept_errors_total", "Times that no connection could be accepted.", func(l *look) any { return l.WS.AcceptErrors }},
	{"tls_handshakes_total", "Handshakes of TLS, by whether they were done.", func(l *look) any { return by("done", "true", l.WS.Handshakes, "false", l.WS.HandshakesFailed) }},
	{"tls_certificate_seconds", "Time until the certificate ends; 0 without one.", func(l *look) any { return l.certificate }},
	{"tls_reloads_total", "Times that the certificate was read again, by whether it could be used.", func(l *look) any { return by("used", "true", l.cert.Reloads, "false", l.cert.Failures) }},
	{"panics_total", "Handlers that panicked.", func(l *look) any { return l.WS.Panics }},
	{"loop_put_off_total", "Times that a connection or a listener had more than its share of a turn of an event loop.", func(l *look) any { return l.WS.PutOff }},
	{"loop_slices_total", "Times that a walk went on in a later turn.", func(l *look) any { return l.WS.Slices }},
	{"loop_slow_turns_total", "Turns of an event loop that took longer than 50 ms.", func(l *look) any { return l.WS.SlowTurns }},
	{"loop_writes_total", "System calls with which event loops wrote.", func(l *look) any { return l.WS.Writes }},
	{"ack_pauses_total", "Clients that were not read from for a while, since they were owed as many acks as they may be.", func(l *look) any { return l.Chat.AckPauses }},
	{"acks_refused_total", "Acks that said at once that a message is not durable, since the card had not answered for long.", func(l *look) any { return l.Chat.AcksRefused }},
	// The sign-in page of a Wi-Fi, as captive.Stats has it.
	{"captive_probes_total", "Questions of phones whether all is well, by whether they were told so or sent to the page.", func(l *look) any { return by("answer", "well", l.Captive.Well, "page", l.Captive.Asked) }},
	{"captive_addresses", "Addresses that have had the page, and were heard of lately.", func(l *look) any { return l.Captive.Addresses }},
	{"captive_forgotten_total", "Addresses that were forgotten to make room for others.", func(l *look) any { return l.Captive.Forgotten }},
	// Rooms, as hub.Stats has them.
	{"rooms", "Rooms that somebody is in.", func(l *look) any { return l.Hub.Rooms }},
	{"members", "Members of all rooms, by whether others hear of them.", func(l *look) any { return by("announced", "true", l.Hub.Members, "false", l.Hub.Quiet) }},
	{"messages_published_total", "Messages that came in, by what brought them.", func(l *look) any {
		return by("via", "websocket", l.Hub.Published-min(l.Hub.Posted, l.Hub.Published), "http", l.Hub.Posted)
	}},
	{"messages_delivered_total", "Messages that members have taken, those of replays included.", func(l *look) any { return l.Hub.Delivered }},
	{"member_writes_total", "Writes with which members took them.", func(l *look) any { return l.Hub.Writes }},
	{"joins_total", "Joins of rooms.", func(l *look) any { return l.Hub.Joins }},
	{"recoveries_total", "Joins from a message on, by whether nothing was missing after it.", func(l *look) any { return by("complete", "true", l.Hub.Recovered, "false", l.Hub.Gaps) }},
	{"members_lagged_total", "Times that a member fell behind what the room holds and went on from the history.", func(l *look) any { return l.Hub.Lagged }},
	{"members_cut_total", "Members closed since the newest messages of their room were lost, which the embedded store never does.", func(l *look) any { return l.Hub.Cut }},
	{"members_lost_total", "Members closed since the history no longer had what they missed.", func(l *look) any { return l.Hub.Lost }},
	{"publishers_slowed_total", "Times that publishers had to wait for those who read in their room.", func(l *look) any { return l.Hub.Slowed }},
	{"members_excused_total", "Members that publishers did not wait for any longer.", func(l *look) any { return l.Hub.Excused }},
	{"publishers_wrote_total", "Times that a publisher had to write to a room itself, which was full before it could be paused.", func(l *look) any { return l.Hub.Relieved }},
	{"typing_left_out_total", "Typing events that were left out because they came too fast.", func(l *look) any { return l.Hub.Typing }},
	{"histories_read_total", "Histories that were read over HTTP.", func(l *look) any { return l.Hub.Histories }},
	{"histories_refused_total", "Histories that were refused since too many were being read.", func(l *look) any { return l.Hub.Busy }},
	{"replay_bytes", "Frames from the history that members which are behind have not taken.", func(l *look) any { return l.Hub.Pages }},
	{"replays_recalled_total", "Times that such frames were taken away to keep within their bound.", func(l *look) any { return l.Hub.Recalled }},
	{"delivery_seconds", "From when a message got its number until the walk ended in which members had it written.", func(l *look) any { return l.Hub.Delays }},
	// The cluster, as cluster.Stats has it.
	{"cluster_degraded", "1 while the engine of the cluster takes no messages.", func(l *look) any { return l.cluster && l.clusterDegraded }},
	{"cluster_nodes", "Other nodes that were heard in the last seconds.", func(l *look) any { return l.Cluster.Nodes }},
	{"cluster_lag", "Messages that the engine has and this node does not yet.", func(l *look) any { return l.Cluster.Lag }},
	{"cluster_queue", "Messages that wait for the engine.", func(l *look) any { return l.Cluster.Queue }},
	{"cluster_waiting", "Messages that the engine has and that wait to come back.", func(l *look) any { return l.Cluster.Waiting }},
	{"cluster_epoch", "Number of the present epoch of the cluster.", func(l *look) any { return l.Cluster.Epoch }},
	{"cluster_batches_total", "Calls of the engine to append.", func(l *look) any { return l.Cluster.Batches }},
	{"cluster_failures_total", "Calls to append that the engine did not answer, or refused.", func(l *look) any { return l.Cluster.Failures }},
	{"cluster_appended_total", "Messages of this node that the engine took.", func(l *look) any { return l.Cluster.Appended }},
	{"cluster_retried_total", "Messages that were given to the engine again.", func(l *look) any { return l.Cluster.Retried }},
	{"cluster_refused_total", "Messages that found the queue for the engine full.", func(l *look) any { return l.Cluster.Refused }},
	{"cluster_duplicates_total", "Messages that this node knew by their key, and did not give to the engine.", func(l *look) any { return l.Cluster.Duplicates }},
	{"cluster_applied_total", "Messages that came from the engine.", func(l *look) any { return l.Cluster.Applied }},
	{"cluster_unread_total", "Messages of the engine that this node could not read.", func(l *look) any { return l.Cluster.Unread }},
	{"cluster_leaps_total", "Times that messages were missed, since the engine did not have them any more.", func(l *look) any { return l.Cluster.Leaps }},
	{"cluster_rollbacks_total", "Times that this node took messages back which the cluster had lost.", func(l *look) any { return l.Cluster.Rollbacks }},
	{"cluster_retracted_total", "Messages that this node took from the engine, which had gone on where the cluster had not.", func(l *look) any { return l.Cluster.Retracted }},
	{"cluster_again_total", "Messages of these that were given to the engine again under their keys.", func(l *look) any { return l.Cluster.Again }},
	{"cluster_epochs_total", "Epochs that this node began.", func(l *look) any { return l.Cluster.Epochs }},
	{"cluster_syncs_total", "Reads that waited for what the engine had.", func(l *look) any { return l.Cluster.Syncs }},
	{"cluster_broadcasts_failed_total", "What this node could not tell others of who is here.", func(l *look) any { return l.Cluster.Silent }},
	{"cluster_deaf_total", "Times that this node could not hear others.", func(l *look) any { return l.Cluster.Deaf }},
	{"cluster_asked_total", "Times that this node asked another who is there.", func(l *look) any { return l.Cluster.Asked }},
	{"cluster_wanted_total", "Times that this node asked another what moderators decided there.", func(l *look) any { return l.Cluster.Wanted }},
	{"cluster_broadcasts_total", "Broadcasts of who is here and what moderators decided here.", func(l *look) any { return l.Cluster.Told }},
	{"cluster_broadcast_bytes_total", "Bytes of these.", func(l *look) any { return l.Cluster.ToldBytes }},
	{"cluster_buried_total", "Nodes that were silent for so long that their members have left.", func(l *look) any { return l.Cluster.Buried }},
	{"cluster_twins_total", "Broadcasts of another process that has this node's name.", func(l *look) any { return l.Cluster.Twins }},
	{"cluster_append_seconds", "Time that the engine takes to append a batch.", func(l *look) any { return l.Cluster.AppendTimes }},
	// The history, as store.Stats has it.
	{"store_degraded", "1 while messages are in memory alone, or the card does not answer.", func(l *look) any { return !l.ready }},
	{"store_volatile", "1 if nothing that is written survives a power cut, or the history cannot be written.", func(l *look) any { return l.warned }},
	{"store_start", "1 for what the store was found as when the server started.", starts},
	{"store_bytes", "What the buffer holds, as --history-bytes counts.", func(l *look) any { return l.Store.Bytes }},
	{"store_rooms", "Rooms that are remembered.", func(l *look) any { return l.Store.Rooms }},
	{"store_pending_messages", "Messages that are not on the card yet.", func(l *look) any { return l.Store.Pending }},
	{"store_pending_bytes", "Bytes of these.", func(l *look) any { return l.Store.PendingBytes }},
	{"store_receipts_waiting", "Acks that wait for the card.", func(l *look) any { return l.Store.Waiting }},
	{"store_receipts_refused_total", "Acks that did not wait for the card, since too many did already.", func(l *look) any { return l.Store.Refused }},
	{"store_log_messages", "Messages that are in the log and not in the history.", func(l *look) any { return l.Store.Recent }},
	{"store_messages_written_total", "Messages that were committed.", func(l *look) any { return l.Store.Written }},
	{"store_commits_total", "Commits, each a write and a flush of the log.", func(l *look) any { return l.Store.Commits }},
	{"store_commit_failures_total", "Commits that failed.", func(l *look) any { return l.Store.Failures }},
	{"store_checkpoints_total", "Transactions that put messages into the history.", func(l *look) any { return l.Store.Folds }},
	{"store_checkpoint_failures_total", "Of these, those that failed.", func(l *look) any { return l.Store.FoldFailures }},
	{"store_checkpointed_messages_total", "Messages that they put there.", func(l *look) any { return l.Store.Folded }},
	{"store_flushes_total", "Flushes of the card that were asked for: one for a commit, two for a transaction of the history.", func(l *look) any { return l.Store.Commits + 2*l.Store.Folds }},
	{"store_written_bytes_total", "Bytes written, as the store counts them, by file.", func(l *look) any { return by("file", "log", l.Store.LogBytes, "history", l.Store.FoldBytes) }},
	{"store_messages_lost_total", "Messages that were kept and could not be read again.", func(l *look) any { return l.Store.Lost }},
	{"store_messages_trimmed_total", "Messages that made room for newer ones.", func(l *look) any { return l.Store.Trimmed }},
	{"store_messages_unwritten_total", "Of these, those that did before they were on the card.", func(l *look) any { return l.Store.Unwritten }},
	{"store_removals_pending", "Messages that made room and are still in the file.", func(l *look) any { return l.Store.Removals }},
	{"store_messages_removed_total", "Messages that were removed from the file.", func(l *look) any { return l.Store.Removed }},
	{"store_squeezes_total", "Times that an eighth of the buffer was given up, since the file had reached its most.", func(l *look) any { return l.Store.Squeezed }},
	{"store_rooms_forgotten_total", "Rooms that were forgotten, since more were talked in than are remembered.", func(l *look) any { return l.Store.Forgotten }},
	{"store_duplicates_total", "Messages that were there already, by their key.", func(l *look) any { return l.Store.Duplicates }},
	{"store_erasures_total", "Times that what edits and deletions took away was overwritten in both files.", func(l *look) any { return l.Store.Erased }},
	{"store_unerased", "1 while a file may hold what edits and deletions took away.", func(l *look) any { return l.Store.Unerased }},
	{"store_late_reads_total", "Reads that were given up since the card did not answer.", func(l *look) any { return l.Store.Late }},
	{"store_rereads_total", "Pages that were looked up again, since messages left the file meanwhile.", func(l *look) any { return l.Store.Rereads }},
	{"store_salvages_total", "Times that a damaged file was put aside.", func(l *look) any { return l.Store.Salvages }},
	{"store_reopens_total", "Times that the file was opened anew.", func(l *look) any { return l.Store.Reopens }},
	{"store_retries_total", "Attempts to write to the card again after a failure.", func(l *look) any { return l.Store.Retries }},
	{"backups_total", "Backups that the server was asked for, by whether they were made.", func(l *look) any { return by("made", "true", l.backups, "false", l.failed) }},
	{"backup_age_seconds", "Time since the last of them was made; -1 if none was since the start.", func(l *look) any { return l.sinceBackup }},
	{"commit_seconds", "How long commits took.", func(l *look) any { return l.Store.CommitTimes }},
}

func text[K ~string](key K) string { return string(key) }

// closeCode returns a code as a label; 0 stands for those that clients choose.
func closeCode(code uint16) string {
	if code == 0 {
		return "other"
	}
	return strconv.Itoa(int(code))
}

// limited returns how often each limit was run into.
func limited(l *look) []labelled {
	c, n := &l.Chat.Limits, &l.WS.Limits
	return by("limit", "messages", c.Messages, "bytes", c.Bytes, "joins", c.Joins, "new_rooms", c.NewRooms, "failures", c.Failures,
		"reads", c.Reads, "histories", c.Histories, "slow_per_address", l.Chat.Moderation.Crowded, "over", c.Over, "invalid", c.Invalid, "rooms_per_connection", l.Chat.TooManyRooms, "members", l.Hub.Full,
		"connections", n.Connections, "connections_per_address", n.PerAddress, "streams", n.Streams, "http", n.Plain, "http_per_address", n.PlainPerAddress, "handshakes", n.Handshakes, "frames", n.Frames)
}

func starts(l *look) any {
	var list []labelled
	for _, start := range store.Starts() {
		list = append(list, labelled{l.Store.Start == start, []string{"found", string(start)}})
	}
	return list
}
