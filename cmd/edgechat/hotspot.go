package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strings"

	"edgechat/internal/settings"
)

// hotspotOptions are the settings of hotspot.
type hotspotOptions struct {
	wifi, passwordFile, device, api string
	address                         netip.Addr
}

func (o *hotspotOptions) table(func(string) string) []settings.Setting {
	return []settings.Setting{
		ssid(settings.Setting{Name: "wifi", Default: "edgechat", Usage: "name of the Wi-Fi"}, &o.wifi),
		wifiPasswordFile(&o.passwordFile),
		{Name: "interface", Takes: "NAME", Default: "wlan0", NoEnv: true, Usage: "radio of the board, as \"ip link\" lists it", Allowed: "1 to 15 letters, digits, - _ and .",
			Set: func(v []string) error {
				o.device = v[0]
				if o.device == "" || len(o.device) > 15 || strings.Trim(o.device, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
					return fmt.Errorf("%q is not the name of an interface such as wlan0", v[0])
				}
				return nil
			}},
		{Name: "address", Takes: "ADDRESS", Default: "10.42.0.1", NoEnv: true, Usage: "address of the board in the Wi-Fi", Allowed: "a private address of IPv4",
			Set: func(v []string) (err error) {
				o.address, err = netip.ParseAddr(v[0])
				if err != nil || !o.address.Is4() || !o.address.IsPrivate() {
					return fmt.Errorf("%q is not a private address of IPv4 such as 10.42.0.1", v[0])
				}
				return nil
			}},
		{Name: "api", Takes: "URL", DefaultText: "none", NoEnv: true, Usage: "address of /captive over https, for phones to be told of (RFC 8910); they want a certificate that they trust", Allowed: "https://NAME/captive",
			Set: func(v []string) error {
				u, err := url.Parse(v[0])
				if v[0] != "" && (err != nil || u.Scheme != "https" || u.Host == "" || strings.ContainsAny(v[0], "', \n")) {
					return fmt.Errorf("%q is not an address such as https://chat.example/captive", v[0])
				}
				o.api = v[0]
				return nil
			}},
	}
}

func hotspotCommand() command {
	return command{name: "hotspot", summary: "print how this board becomes a Wi-Fi that opens the chat", settings: new(hotspotOptions).table, run: showHotspot,
		about: "It changes nothing: what it prints are lines for a shell, for boards with NetworkManager, and QR codes of the Wi-Fi and of\n" +
			"the chat. docs/hotspot.md tells what phones do then.\n"}
}

// recipe are the lines for a shell, with words in capitals for what differs.
const recipe = `# 1. The Wi-Fi. A board with one radio leaves the Wi-Fi that it is in.
sudo nmcli radio wifi on
sudo nmcli connection add type wifi ifname DEVICE con-name edgechat ssid SSID connection.autoconnect yes connection.autoconnect-priority 100 wifi.mode ap ipv4.method shared ipv4.addresses ADDRESS/24 ipv6.method disabledKEY

# 2. Each name leads to this board: that is what NetworkManager's dnsmasq reads. The second name is how old Windows asks.
sudo mkdir -p /etc/NetworkManager/dnsmasq-shared.d
sudo tee /etc/NetworkManager/dnsmasq-shared.d/edgechat.conf <<'END'
DNSMASQEND

# 3. Port 80, where phones ask, beside 3000: of systemd's socket.
sudo mkdir -p /etc/systemd/system/edgechat.socket.d
sudo tee /etc/systemd/system/edgechat.socket.d/port80.conf <<'END'
[Socket]
ListenStream=80
END
echo EDGECHAT_CAPTIVE=true | sudo tee -a /etc/default/edgechat
sudo systemctl daemon-reload
sudo systemctl restart edgechat.socket
sudo systemctl restart edgechat

# Where no systemd holds the port, in place of 3: serve --captive, and have port 80 of the Wi-Fi lead to it.
REDIRECT
# 4. Begin. It comes back at each boot; "sudo nmcli connection down edgechat" ends it.
sudo nmcli connection up edgechat

`

// dnsmasqLines are what dnsmasq is told.
func (o *hotspotOptions) dnsmasqLines() string {
	text := fmt.Sprintf("address=/#/%s\naddress=/dns.msftncsi.com/131.107.255.255\n", o.address)
	if o.api != "" {
		text += "dhcp-option=114," + o.api + "\n"
	}
	return text
}

// redirectLines have port 80 lead to 3000, in comments.
func (o *hotspotOptions) redirectLines() string {
	return "# sudo nft add table ip edgechat\n" +
		"# sudo nft 'add chain ip edgechat prerouting { type nat hook prerouting priority dstnat; }'\n" +
		"# sudo nft add rule ip edgechat prerouting iifname " + o.device + " tcp dport 80 redirect to :3000\n"
}

func showHotspot(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o hotspotOptions
	if _, err := a.flagsAlone(o.table(a.getenv)); err != nil {
		return err
	}
	password, err := wifiPassword(o.passwordFile)
	if err != nil {
		return err
	}
	if o.passwordFile != "" && (len(password) < 8 || len(password) > 63 || strings.IndexFunc(password, func(r rune) bool { return r < ' ' || r > '~' }) >= 0) {
		return misuse("write another into "+o.passwordFile, "the password of a Wi-Fi has 8 to 63 characters of ASCII (WPA2), and the one in %s has not", o.passwordFile)
	}
	key := ""
	if o.passwordFile != "" {
		key = ` wifi-sec.key-mgmt wpa-psk wifi-sec.psk "$(sudo cat ` + quoted(o.passwordFile) + `)"`
	}
	lines := strings.NewReplacer("DEVICE", o.device, "SSID", quoted(o.wifi), "ADDRESS", o.address.String(), "KEY", key, "DNSMASQ", o.dnsmasqLines(), "REDIRECT", o.redirectLines())
	if _, err := lines.WriteString(a.stdout, recipe); err != nil {
		return err
	}
	page := "http://" + o.address.String()
	for _, code := range []struct{ title, text string }{{"Wi-Fi " + printable(o.wifi), wifiText(o.wifi, password)}, {page, page}} {
		drawn, err := qrLines(code.text, isTerminal(a.stdout))
		if err != nil {
			return err
		}
		if _, err := io.WriteString(a.stdout, "# "+code.title+"\n\n"+drawn+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// quoted is a word for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
