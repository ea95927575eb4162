package edgetest

// NoLimits are the variables that turn off what a server with defaults allows one client, for tests that are about
// something else and do more than people do.
func NoLimits() []string {
	return []string{
		"EDGECHAT_CONNECTIONS=0", "EDGECHAT_HTTP_CONNECTIONS=0", "EDGECHAT_RATE=0", "EDGECHAT_BYTE_RATE=0", "EDGECHAT_FRAME_RATE=0",
		"EDGECHAT_INVALID_FRAMES=0", "EDGECHAT_MEMBERS_PER_ROOM=0",
	}
}
