package ws

// Pause stops the reading of this connection: what its peer sends stays in the kernel, and
// soon with the peer. It is still written to, and ends if it is cut. It may be
// called from any goroutine, and again.
func (c *core) Pause() { c.paused.Store(true) }

// Resume goes on reading after Pause. It may be called from any goroutine, and again.
func (c *core) Resume() {
	if !c.paused.CompareAndSwap(true, false) {
		return
	}
	if c.loop != nil {
		c.loop.post(func() { c.loop.hear(c) })
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wakeLocked()
}

// awaitResume returns once the connection is not paused, or is cut. The goroutine driver
// calls it before each read.
func (c *core) awaitResume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.paused.Load() && !c.dead && !c.closing {
		idle := c.waitLocked()
		c.mu.Unlock()
		<-idle
		c.mu.Lock()
	}
}
