// The servers that edgechat is compared with, apart so that the product gains no dependency.
module compare

go 1.26.0

require (
	github.com/gorilla/websocket v1.5.3
	github.com/julienschmidt/httprouter v1.3.0
	github.com/lxzan/gws v1.9.1
)

require github.com/klauspost/compress v1.17.9 // indirect
