# `make` lists the targets. One or two lines each; what is longer is in scripts.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
export CGO_ENABLED = 0

.DEFAULT_GOAL := help
.PHONY: help run build test check race e2e fuzz vuln mutate kill powercut cards chaos soak hostile bench compare lint generate dist deb install uninstall test-pi clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build, and serve on http://localhost:3000 with the data in ./data
	./bin/edgechat serve --data data

build: ## build ./bin/edgechat
	@sh scripts/toolchain
	go build -trimpath -tags nethttpomithttp2 -ldflags '-s -w -X main.version=$(VERSION)' -o bin/edgechat ./cmd/edgechat

test: ## everything that must pass; installs what it needs; PART=check for one part
	@bash scripts/test

check: ## format, vet, lint, generated code, module files, imports, documents, scripts
	@bash scripts/check

race: ## the Go tests under the race detector
	CGO_ENABLED=1 go test -race -timeout 20m ./...

e2e: build ## the node and browser tests against the built binary
	@bash scripts/e2e $(E2E)

fuzz: ## each fuzz target for FUZZTIME (default 10s), one after the other
	@bash scripts/fuzz

vuln: ## govulncheck and gosec; SECURITY.md answers what they say; needs a network and jq
	@bash scripts/vuln

mutate: ## a package's tests on mutated code; PKG=./codec, MUTATETIME=30m
	@bash scripts/mutate $(PKG)

kill: ## 200 crashes of a server that 20 clients publish to, some on late cards; as root, 15 minutes
	go test ./cmd/edgechat -run 'TestKill$$' -kills $(or $(COUNT),200) -v -timeout 60m

powercut: ## 2000 power cuts replayed from recorded cards, some of which use the log again and again; as root, an hour
	go test ./cmd/edgechat -run 'TestPowerCut$$' -cuts $(or $(COUNT),2000) -v -timeout 180m

cards: ## ten minutes of a card that fails, is full, hangs, is late, vanishes, is replaced; as root
	go test ./cmd/edgechat -run 'TestCards$$' -cards $(or $(TIME),10m) -v -timeout 60m

chaos: ## engines and nodes of clusters killed, stopped, cut off, failed over for TIME (default 5m) in each mode; SEED=1 for one that was; needs redis-server and postgres; as root
	go test -count=1 -p 1 -parallel 1 ./cluster/redis ./cluster/postgres -run 'TestChaos$$|TestKills$$' -chaos $(or $(TIME),5m) -seed $(or $(SEED),0) -v -timeout 0

soak: ## everything happens to one server for SOAK (default 30m): nothing may be left of it; as root
	go test ./cmd/edgechat -run 'TestSoak$$' -soak $(or $(SOAK),30m) -v -timeout 0

hostile: ## a mob of 2000 from 40 addresses for TIME (default 2m), beside people who must not notice; as root
	go test -count=1 ./internal/edgetest/hostile -run 'TestMob$$' -mob $(or $(TIME),2m) -v -timeout 30m

bench: ## Go benchmarks with allocations; PKG=./codec for one package, COUNT=10 for benchstat
	@go test -run '^$$' -bench . -benchmem -count $(or $(COUNT),1) $(or $(PKG),./...)

compare: ## edgechat beside a floor and two usual servers; needs jq and a C compiler
	@bash bench/compare/compare

lint: ## staticcheck alone
	go tool -modfile=tools.mod staticcheck -checks inherit,ST1000 ./...

generate: ## write the generated code anew
	go generate ./...

dist: ## static binaries for boards and PCs, with checksums, in ./dist
	@VERSION=$(VERSION) ./cross-build.sh

deb: ## Debian packages for arm64, armhf and amd64, in ./dist
	@VERSION=$(VERSION) ./cross-build.sh arm64 armv6 amd64
	@VERSION=$(VERSION) bash packaging/build

install: ## install ./bin/edgechat and its service below PREFIX (default /usr/local); DESTDIR stages
	@sh packaging/install install

uninstall: ## take that away; data and settings stay
	@sh packaging/install uninstall

test-pi: ## the package on an emulated Raspberry Pi; as root
	@bash systemd/test/run

clean: ## remove what was built and installed here; ./data stays
	rm -rf bin dist test/e2e/node_modules
