package main

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// mosquitto starts a broker and returns its port; "" if there is none.
func mosquitto(t *testing.T) (port string) {
	t.Helper()
	program := "mosquitto"
	if _, err := exec.LookPath(program); err != nil {
		program = "/usr/sbin/mosquitto"
		if _, err := os.Stat(program); err != nil {
			return ""
		}
	}
	_, port, _ = net.SplitHostPort(edgetest.FreeAddr(t))
	start(t, exec.Command(program, "-p", port)) // without a file it serves this machine alone
	await(t, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, "mosquitto does not start")
	return port
}

// testBridge runs a line that takes messages from one side to the other.
func testBridge(t *testing.T, line, addr, port string) {
	if port == "" {
		t.Skip("mosquitto is not installed")
	}
	if _, err := exec.LookPath("mosquitto_pub"); err != nil {
		t.Skip("mosquitto-clients is not installed")
	}
	line = strings.ReplaceAll(line, "-h broker.local", "-h 127.0.0.1 -p "+port)
	errs, heard := new(edgetest.Log), new(edgetest.Log)
	cmd := exec.Command("bash", "-c", line)
	cmd.Stderr = errs
	start(t, cmd, "EDGECHAT_URL=http://"+addr)
	topic := regexp.MustCompile(`-t (\S+)`).FindStringSubmatch(line)[1]
	if strings.HasPrefix(line, "mosquitto_sub") {
		await(t, func() bool { // who is not subscribed yet gets nothing
			out, err := exec.Command("mosquitto_pub", "-h", "127.0.0.1", "-p", port, "-t", topic, "-m", "/quit").CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return times(t, addr, "/quit") > 0
		}, "what was published did not arrive", errs)
		return
	}
	sub := exec.Command("mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-t", topic)
	sub.Stdout = heard
	start(t, sub)
	await(t, func() bool {
		say(t, addr, "to the broker")
		time.Sleep(100 * time.Millisecond)
		return heard.Has("<test> to the broker")
	}, "what was said did not arrive", errs, heard)
}
