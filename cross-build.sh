#!/bin/sh
# Builds edgechat for the boards and machines it is released for: static, stripped and
# reproducible, into dist/ with SHA256SUMS.
#
#   ./cross-build.sh                 all targets
#   ./cross-build.sh arm64 armv6     these
#
# VERSION is what "edgechat version" says, git's description by default; DIST is another folder.
set -eu
umask 022

all='arm64 armv7 armv6 amd64 riscv64'

die() {
	echo "cross-build: $*" >&2
	exit 1
}

# What is built does not depend on who builds it: neither flags from the environment nor
# processor levels of this machine. GOPROXY and the like stay, they change no byte.
unset GOARM GOARM64 GOAMD64 GORISCV64 GOFLAGS GOEXPERIMENT GOFIPS140
export CGO_ENABLED=0 GOOS=linux GOWORK=off GOFLAGS='' GOEXPERIMENT=''

# Target to processor. v8.0 and rva20u64 are every board there is: Go looks for what newer
# ones have (LSE atomics on a Pi 5) at run time. GOARM=6 is the first Pi and the Zero.
processor() {
	case $1 in
	arm64) echo GOARCH=arm64 GOARM64=v8.0 ;;
	armv7) echo GOARCH=arm GOARM=7 ;;
	armv6) echo GOARCH=arm GOARM=6 ;;
	amd64) echo GOARCH=amd64 GOAMD64=v1 ;;
	riscv64) echo GOARCH=riscv64 GORISCV64=rva20u64 ;;
	*) die "there is no target \"$1\": the targets are $all" ;;
	esac
}

# Go 1.26 before 1.26.8 corrupts the heap of 32-bit ARM programs (golang/go#81603), some
# weeks after the start of a server. go.mod asks for this toolchain; GOTOOLCHAIN=local or an
# edit of go.mod would get around that without a word.
check_go() {
	have=$(go env GOVERSION) || die "go is not installed: https://go.dev/dl"
	minor=${have#go1.}
	[ "$minor" != "$have" ] || die "cannot tell what release \"$have\" is: go1.26.8 or newer is needed"
	patch=${minor#*.}
	[ "$patch" != "$minor" ] || patch=0
	minor=${minor%%[!0-9]*}
	patch=${patch%%[!0-9]*}
	[ "${minor:-0}" -gt 26 ] || { [ "${minor:-0}" -eq 26 ] && [ "${patch:-0}" -ge 8 ]; } ||
		die "this is $have, and go1.26.8 or newer is needed: older ones corrupt the heap on 32-bit ARM (golang/go#81603); leave GOTOOLCHAIN unset and Go fetches what go.mod names"
}

dist=${DIST:-dist}
case $dist in /*) ;; *) dist=$PWD/$dist ;; esac
cd "$(dirname "$0")"

[ $# -gt 0 ] || eval "set -- $all"
for target; do processor "$target" >/dev/null; done
check_go
wanted=$(sed -n 's/^toolchain //p' go.mod)
[ "$have" = "$wanted" ] || echo "cross-build: this is $have, and go.mod names $wanted, which may mend what $have does not: GOTOOLCHAIN=$wanted+auto fetches it" >&2
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo devel)}
case $version in
*[!A-Za-z0-9.+~_-]*) die "VERSION is \"$version\": letters, digits and . + ~ _ - can be in it" ;;
esac

mkdir -p "$dist"
work=$(mktemp -d "$dist/.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
# nethttpomithttp2: browsers speak HTTP/2 over TLS alone, which is a proxy's here, and it is 0.4 MB of each server's memory.
for target; do
	# shellcheck disable=SC2046 # two words
	env $(processor "$target") go build -trimpath -buildvcs=false -tags nethttpomithttp2 \
		-ldflags "-s -w -buildid= -X main.version=$version" -o "$work/edgechat-linux-$target" ./cmd/edgechat
	mv "$work/edgechat-linux-$target" "$dist/"
	echo "cross-build: edgechat-linux-$target $version, $(($(wc -c <"$dist/edgechat-linux-$target") / 1024)) KiB"
done
(cd "$dist" && sha256sum edgechat-linux-* >"$work/sums" && mv "$work/sums" SHA256SUMS)
