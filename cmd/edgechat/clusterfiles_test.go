package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The drop-ins and the compose file for clusters name settings that there are, with values that they take, and addresses of engines that
// can be one.
func TestClusterFiles(t *testing.T) {
	folder := filepath.Join("..", "..", "packaging", "cluster")
	files, err := filepath.Glob(filepath.Join(folder, "*.conf"))
	if err != nil || len(files) != 3 {
		t.Fatalf("drop-ins: %q, %v", files, err)
	}
	for _, file := range files {
		text := readText(t, file)
		env := map[string]string{"STATE_DIRECTORY": "/var/lib/edgechat"}
		for _, m := range regexp.MustCompile(`(?m)^Environment=(\w+)=(\S+)$`).FindAllStringSubmatch(text, -1) {
			env[m[1]] = strings.ReplaceAll(m[2], "%H", "attic")
		}
		takesSettings(t, file, env)
		if !strings.Contains(filepath.Base(file), "postgres") && !strings.Contains(text, "\nLoadCredential="+credentialCluster+":edgechat."+credentialCluster+"\n") {
			t.Errorf("%s has no credential of the engine", file)
		}
		for line := range strings.Lines(text) {
			if !regexp.MustCompile(`^(#.*|\[(Unit|Service)\]|[A-Z][A-Za-z]+=\S.*|)\n$`).MatchString(line) {
				t.Errorf("%s: %q is no line of a unit", file, line)
			}
		}
	}

	c := parseYAML(t, readText(t, filepath.Join(folder, "compose.yaml")))
	services, volumes := c["services"].(map[string]any), c["volumes"].(map[string]any)
	ports := map[string]string{}
	for name, v := range services {
		s := v.(map[string]any)
		mounted := s["volumes"].([]string)
		if volume, at, _ := strings.Cut(mounted[0], ":"); len(mounted) != 1 || at != "/data" || volumes[volume] == nil {
			t.Errorf("%s: volumes %q", name, mounted)
		}
		if name == "engine" {
			if command := s["command"].(string); !strings.Contains(command, `"--appendfsync", "always"`) || !strings.Contains(command, `"noeviction"`) {
				t.Errorf("the engine runs as %s", command)
			}
			continue
		}
		env := map[string]string{}
		for k, v := range s["environment"].(map[string]any) {
			env[k] = strings.ReplaceAll(v.(string), "${HOST:-localhost}", "pi")
		}
		takesSettings(t, name, env)
		port, inside, _ := strings.Cut(s["ports"].([]string)[0], ":")
		if ports[port] != "" || env["EDGECHAT_ADVERTISE"] != "http://pi:"+port || inside != "3000" || env["EDGECHAT_NODE_NAME"] != name || env["EDGECHAT_DATA"] != "/data" || s["build"] != "." {
			t.Errorf("%s: %v", name, s)
		}
		ports[port] = name
		if !slices.Equal(s["depends_on"].([]string), []string{"engine"}) || env["EDGECHAT_CLUSTER"] != "redis://engine" {
			t.Errorf("%s has another engine", name)
		}
	}
	if len(ports) != 2 || len(volumes) != 3 {
		t.Errorf("%d nodes, %d volumes", len(ports), len(volumes))
	}
}

// takesSettings has the program read settings of serve, and say what it would make in an engine of that address.
func takesSettings(t *testing.T, file string, env map[string]string) {
	t.Helper()
	if env["EDGECHAT_CLUSTER"] == "" || env["EDGECHAT_ADVERTISE"] == "" {
		t.Errorf("%s: settings %v", file, env)
	}
	for _, args := range [][]string{{"config"}, {"cluster", "init"}} {
		var out, errs bytes.Buffer
		code := run(t.Context(), args, nil, func(name string) string { return env[name] }, strings.NewReader(""), &out, &errs)
		if code != 0 {
			t.Errorf("%s: edgechat %s: %s", file, strings.Join(args, " "), errs.String())
		}
		for name := range env {
			if args[0] == "config" && strings.HasPrefix(name, "EDGECHAT_") && !strings.Contains(out.String(), "environment "+name) {
				t.Errorf("%s: %s is no setting", file, name)
			}
		}
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// parseYAML reads the part of YAML that our files are written in: maps by two spaces, lists of quoted texts, and values in one line.
func parseYAML(t *testing.T, text string) map[string]any {
	t.Helper()
	root := map[string]any{}
	maps, lists := []map[string]any{root}, map[int]string{}
	entry := regexp.MustCompile(`^( *)([A-Za-z_]+):(?: (\S.*))?$`)
	item := regexp.MustCompile(`^( *)- "([^"\\]*)"$`)
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		where := fmt.Sprintf("line %d: %q", n+1, line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		if m := item.FindStringSubmatch(line); m != nil {
			depth := len(m[1])/2 - 1
			key := lists[depth]
			if len(m[1])%2 != 0 || depth < 0 || depth >= len(maps) || key == "" {
				t.Fatalf("%s: an item of no list", where)
			}
			list, _ := maps[depth][key].([]string)
			maps[depth][key] = append(list, m[2])
			continue
		}
		m := entry.FindStringSubmatch(line)
		if m == nil || len(m[1])%2 != 0 || len(m[1])/2 >= len(maps) {
			t.Fatalf("%s: not as our files are written", where)
		}
		depth, key, value := len(m[1])/2, m[2], m[3]
		maps = maps[:depth+1]
		if _, twice := maps[depth][key]; twice {
			t.Fatalf("%s: it is there twice", where)
		}
		switch {
		case value == "" || value == "{}":
			inner := map[string]any{}
			maps[depth][key] = inner
			maps = append(maps, inner)
			lists[depth] = key
		default:
			if q, ok := strings.CutPrefix(value, `"`); ok {
				value = strings.TrimSuffix(q, `"`)
			}
			maps[depth][key] = value
			lists[depth] = ""
		}
	}
	return root
}
