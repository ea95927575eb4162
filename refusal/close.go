package refusal

// Close codes of WebSocket that this server sends or meets, from RFC 6455 section
// 7.4.1 and IANA's registry, which also names them.
const (
	CloseNormal          = 1000
	CloseGoingAway       = 1001
	CloseProtocolError   = 1002
	CloseAbnormal        = 1006 // no close frame; never sent
	CloseInvalidData     = 1007
	ClosePolicyViolation = 1008
	CloseTooBig          = 1009
	CloseInternalError   = 1011
	CloseServiceRestart  = 1012
	CloseTryAgainLater   = 1013
)
