// A line that says something for a while.

const SHOWN = 8_000; // ms
const line = document.getElementById('notice');
let timer = 0;

export function notice(text) {
  line.textContent = text;
  line.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(hideNotice, SHOWN);
}

export function hideNotice() { line.hidden = true; }
