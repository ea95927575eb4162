package codec

// What is sent over plain HTTP alone, and as JSON.

// A Gap says that messages are missing.
type Gap struct {
	Since  *ID // behind which; nil leaves it out
	Oldest ID  // the oldest message in the buffer; left out while the buffer is empty
}

// AppendGap appends what stands where messages are missing:
//
//	{"type":"gap","since":"k3f9q2-17","oldest":"k3f9q2-43"}
func AppendGap(dst []byte, x *Gap) []byte {
	dst = append(dst, `{"type":"gap"`...)
	if x.Since != nil {
		dst = appendJSONID(append(dst, `,"since":`...), *x.Since)
	}
	if x.Oldest.Offset != 0 {
		dst = appendJSONID(append(dst, `,"oldest":`...), x.Oldest)
	}
	return append(dst, '}')
}
