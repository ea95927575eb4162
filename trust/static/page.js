// The page /trust: whether this browser opens a WebSocket over TLS to this host, and what to do if it does not.

const result = document.getElementById("result");
const open = document.getElementById("open");
const patience = 10_000; // milliseconds

function show(is, text) {
	result.dataset.is = is;
	result.textContent = text;
}

// opens reports whether a WebSocket opens. A browser does not tell a page why one does not.
function opens(url) {
	return new Promise((resolve) => {
		const socket = new WebSocket(url);
		const late = setTimeout(() => { resolve(false); socket.close(); }, patience);
		const end = (opened) => { clearTimeout(late); resolve(opened); socket.close(); };
		socket.onopen = () => end(true);
		socket.onerror = () => end(false);
	});
}

async function test() {
	open.hidden = true;
	show("", "Looking whether this browser trusts it…");
	let status;
	try {
		const answer = await fetch("trust/status");
		status = await answer.json();
	} catch {
		show("refused", "The server does not answer.");
		return;
	}
	if (status.ports.length === 0) {
		show("none", "This server speaks no TLS. Whoever runs it turns it on with: edgechat ca init");
		return;
	}
	document.getElementById("steps").hidden = !status.authority;
	const at = location.hostname + ":" + status.ports[0];
	if (await opens("wss://" + at + "/trust/test")) {
		show("trusted", "This browser trusts the server: wss://" + at + " works.");
		open.href = "https://" + at + "/";
		open.hidden = false;
		return;
	}
	const known = status.names.includes(location.hostname.replace(/^\[|\]$/g, ""));
	show("refused", known
		? "This browser does not trust the server yet, or cannot reach " + at + "."
		: "The certificate is not for " + location.hostname + " but for " + status.names.join(", ") + ": use one of these in the address.");
}

document.getElementById("again").addEventListener("click", test);
test();
