package doctor

import (
	"path/filepath"
	"testing"
)

// The rules in testdata are what nft -j list ruleset and iptables-save showed of rules that the kernel had.
func TestFirewall(t *testing.T) {
	t.Parallel()
	for file, ports := range map[string]map[int]Severity{
		"nft/drop.json": {22: OK, 80: OK, 443: OK, 8000: OK, 8005: OK, 8010: OK, 8011: Problem, 3000: Problem, 5353: Problem, 3001: Note},
		// 80 and what is redirected to it come through "return"; what is not 22 is rejected
		"nft/reject.json":  {22: OK, 80: OK, 90: OK, 91: Problem, 3000: Problem},
		"iptables/ufw.txt": {22: OK, 80: OK, 443: OK, 8005: OK, 3000: Problem, 3001: Note, 9001: OK, 68: Problem},
	} {
		name, err := filepath.Abs(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		program := "nft"
		if filepath.Ext(file) == ".txt" {
			program = "iptables-save"
		}
		for port, severity := range ports {
			b := tree{"bin/" + program: "/bin/cat " + name}.board(t)
			b.Ports = []int{port}
			look(t, b, "firewall", want{severity, program})
		}
	}
}

func TestFirewallUnseen(t *testing.T) {
	look(t, tree{}.board(t), "firewall", want{Note, "neither nft nor iptables-save is installed"})
	look(t, tree{"bin/nft": "echo 'Operation not permitted (you must be root)' >&2; exit 1"}.board(t), "firewall", want{Note, "sudo edgechat doctor"})
	look(t, tree{"bin/nft": "echo nonsense"}.board(t), "firewall", want{Note, "nft -j list ruleset: invalid"})
	look(t, tree{"bin/nft": `echo '{"nftables": []}'`}.board(t), "firewall", want{OK, "no rules"})
	b := tree{"bin/nft": "exec /bin/sleep 60"}.board(t)
	b.Wait = 1
	look(t, b, "firewall", want{Note, "no answer in"})
}

// What mends it is in the words of who manages the rules.
func TestFirewallMend(t *testing.T) {
	const drop = `echo '{"nftables": [{"chain": {"family": "ip", "table": "filter", "name": "INPUT", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}}]}'`
	look(t, tree{"bin/nft": drop}.board(t), "firewall", want{Problem, "tcp dport 3000 accept"})
	look(t, tree{"bin/nft": drop, "bin/ufw": "echo ufw 0.36"}.board(t), "firewall", want{Problem, "sudo ufw allow 3000/tcp"})
}

// TestUnquoted: what a comment says is none of a rule's words.
func TestUnquoted(t *testing.T) {
	for line, want := range map[string]string{
		`-A INPUT -j DROP`:                             `-A INPUT -j DROP`,
		`--comment "of two words" -j DROP`:             `--comment x -j DROP`,
		`--comment "a \"word\" -j ACCEPT" -j "DROP"`:   `--comment x -j x`,
		`--comment "" --comment "ends in one \\" -m x`: `--comment x --comment x -m x`,
		`--comment "without end -j DROP`:               `--comment "without end -j DROP`,
		`"\`:                                           `"\`,
	} {
		if got := unquoted(line); got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
}
