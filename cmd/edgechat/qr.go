package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	"rsc.io/qr"

	"edgechat/client"
	"edgechat/internal/settings"
	"edgechat/server"
)

// qrOptions are the settings of qr.
type qrOptions struct {
	url, wifi, passwordFile string
}

func (o *qrOptions) table(func(string) string) []settings.Setting {
	return []settings.Setting{
		urlSetting(&o.url),
		ssid(settings.Setting{Name: "wifi", Usage: "also show a code with which phones enter this Wi-Fi"}, &o.wifi),
		wifiPasswordFile(&o.passwordFile),
	}
}

// ssid takes the name of a Wi-Fi.
func ssid(s settings.Setting, dst *string) settings.Setting {
	s.Takes, s.NoEnv, s.Allowed = "SSID", true, "1 to 32 bytes"
	s.Set = func(v []string) error {
		*dst = v[0]
		if len(v[0]) > 32 {
			return fmt.Errorf("%q is longer than the 32 bytes that the name of a Wi-Fi may have", v[0])
		}
		return nil
	}
	return s
}

func wifiPasswordFile(dst *string) settings.Setting {
	return settings.Path(settings.Setting{Name: "wifi-password-file", Takes: "FILE", DefaultText: "none: the Wi-Fi is open", NoEnv: true,
		Usage: "file that holds the password of the Wi-Fi and nothing else"}, dst)
}

// wifiPassword returns what is in the file, "" without one.
func wifiPassword(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", &failure{errs: []error{err}, hint: fmt.Sprintf("is it the right name, and may user %s read it?", userName()), code: 2}
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// urlSetting takes the address of a server.
func urlSetting(dst *string) settings.Setting {
	return settings.Setting{Name: "url", Takes: "URL", DefaultText: "this machine's address in its network, port 3000",
		Usage: "the address to show", Set: func(v []string) error {
			*dst = v[0]
			if v[0] == "" {
				return nil
			}
			_, err := client.ParseURL(v[0])
			return err
		}}
}

// pageURL returns the address as a browser takes it, this machine's by default.
func pageURL(u string) (string, error) {
	if u == "" {
		urls := server.URLs(&net.TCPAddr{Port: 3000}) // the first is localhost
		if len(urls) < 2 {
			return "", &failure{errs: []error{fmt.Errorf("this machine has no address in a network")}, hint: "name one: --url http://ADDRESS:3000", code: 1}
		}
		return urls[1], nil
	}
	for _, scheme := range []string{"ws", "wss"} { // which a phone does not open
		if rest, ok := strings.CutPrefix(u, scheme+"://"); ok {
			return "http" + strings.TrimPrefix(scheme, "ws") + "://" + rest, nil
		}
	}
	return u, nil
}

func qrCommand() command {
	return command{name: "qr", summary: "show the address as a QR code, for phones", settings: new(qrOptions).table, run: showQR,
		about: "A phone that is held before the screen opens the chat. --url may also be set as EDGECHAT_URL.\n"}
}

func showQR(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o qrOptions
	if _, err := a.flagsAlone(o.table(a.getenv)); err != nil {
		return err
	}
	page, err := pageURL(o.url)
	if err != nil {
		return err
	}
	o.url = page
	styled := isTerminal(a.stdout)
	if o.wifi != "" {
		password, err := wifiPassword(o.passwordFile)
		if err != nil {
			return err
		}
		code, err := qrLines(wifiText(o.wifi, password), styled)
		if err == nil {
			_, err = fmt.Fprintf(a.stdout, "Wi-Fi %s\n\n%s\n", printable(o.wifi), code)
		}
		if err != nil {
			return err
		}
	} else if o.passwordFile != "" {
		return misuse("edgechat qr --wifi SSID --wifi-password-file "+o.passwordFile, "--wifi-password-file is of a Wi-Fi, which is not named")
	}
	code, err := qrLines(o.url, styled)
	if err == nil {
		_, err = fmt.Fprintf(a.stdout, "%s\n\n%s\n", o.url, code)
	}
	return err
}

// wifiText is what phones take for the way into a Wi-Fi (the MECARD-like form of ZXing, which iOS and Android read).
func wifiText(ssid, password string) string {
	escape := strings.NewReplacer(`\`, `\\`, `;`, `\;`, `,`, `\,`, `:`, `\:`, `"`, `\"`).Replace
	if password == "" {
		return "WIFI:T:nopass;S:" + escape(ssid) + ";;"
	}
	return "WIFI:T:WPA;S:" + escape(ssid) + ";P:" + escape(password) + ";;"
}

// quiet is the white around a code, in modules, that ISO/IEC 18004 asks for.
const quiet = 4

// codeStyle is black on bright white (ECMA-48: SGR).
const codeStyle = "\x1b[30;107m"

// qrLines draws the QR code of text, two modules of a column in one character. Styled it is black on white on any
// terminal; else what is light is drawn, for screens that are dark.
func qrLines(text string, styled bool) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("%q has no QR code: %w", text, err)
	}
	blocks := [...]string{" ", "▀", "▄", "█"} // drawn above 1, below 2
	var b strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		if styled {
			b.WriteString(codeStyle)
		}
		for x := -quiet; x < code.Size+quiet; x++ {
			drawn := 0
			if code.Black(x, y) == styled {
				drawn |= 1
			}
			if code.Black(x, y+1) == styled {
				drawn |= 2
			}
			b.WriteString(blocks[drawn])
		}
		if styled {
			b.WriteString(plainStyle)
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}
