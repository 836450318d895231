// Small helpers: elements, requests and words. Text from recordings only ever becomes text nodes, never markup.

/** An element with attributes and children. `on…` attributes are listeners. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else if (value === true) element.setAttribute(name, '');
    else element.setAttribute(name, String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A failure in words that a person understands. */
export class Problem extends Error {
  constructor(message, hint, status, param) {
    super(message);
    this.hint = hint;
    this.status = status;
    this.param = param;
  }
}

async function problemOf(response) {
  let body = null;
  try { body = (await response.json()).error; } catch { /* no JSON */ }
  if (response.status === 401) {
    return new Problem('This browser was logged out.', 'Open the newest link that the terminal of `elenchus serve` shows.', 401);
  }
  return new Problem(body?.message ?? `The server answered with an error (${response.status}).`, body?.hint, response.status, body?.param);
}

const GONE = 'The server does not answer.';

/** JSON from the server. */
export async function get(path) {
  const response = await fetch(path).catch(() => { throw new Problem(GONE, 'Is `elenchus serve` still running?'); });
  if (!response.ok) throw await problemOf(response);
  return response.json();
}

/** Sends JSON, and gives the JSON of the answer. */
export async function post(path, body) {
  const response = await send(path, body, {});
  return response.json();
}

async function send(path, body, more) {
  const headers = { 'Content-Type': 'application/json', ...(more.headers ?? {}) };
  const options = { method: 'POST', body: JSON.stringify(body), ...more, headers };
  const response = await fetch(path, options).catch((error) => {
    if (error.name === 'AbortError') throw error;
    throw new Problem(GONE, 'Is `elenchus serve` still running?');
  });
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** Sends JSON, and calls `tell(name, data)` for each event of the answer. */
export async function postForEvents(path, body, tell, signal) {
  const response = await send(path, body, { headers: { Accept: 'text/event-stream' }, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const blocks = rest.split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      let name = 'message';
      const data = [];
      for (const line of block.split('\n')) {
        if (line.startsWith('event:')) name = line.slice(6).trim();
        else if (line.startsWith('data:')) data.push(line.slice(5).trimStart());
      }
      if (data.length) tell(name, JSON.parse(data.join('\n')));
    }
  }
}

/** A box that tells of a problem. */
export function problemBox(error) {
  return h('div', { class: 'problem', role: 'alert' },
    h('p', {}, error.message),
    error.hint && h('p', { class: 'hint' }, error.hint));
}

/** "1 moment", "2 moments". */
export function counted(count, one, several = `${one}s`) {
  return `${count} ${count === 1 ? one : several}`;
}

/** A note at the edge of the page that goes away by itself. `undo` takes back what it tells of. */
export function note(text, undo) {
  const box = h('div', { class: 'toast', role: 'status' }, h('span', {}, text),
    undo && h('button', { type: 'button', class: 'quiet small', onclick: async () => { box.remove(); await undo(); } }, 'Undo'));
  document.querySelectorAll('.toast').forEach((other) => other.remove());
  document.body.append(box);
  setTimeout(() => box.remove(), 15_000);
}

/** Says something to people who cannot see the page. */
export function say(text) {
  document.getElementById('status').textContent = text;
}

/** Seconds as 1:02:03. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, '0');
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** The name of a file without its folder. */
export function fileName(path) {
  return path.split('/').pop();
}

/** When a line or a piece of evidence is: the date and time if they are known, and the place in the video. */
export function when(item) {
  const span = `${clock(item.start)}–${clock(item.end)}`;
  return item.at ? `${item.at.replace('T', ' ').slice(0, 23).replace(/\.\d+.*$/, '')} · ${span}` : span;
}

/** Opens a dialogue with a title and content, and gives a function that closes it. */
export function open(title, ...content) {
  const dialog = document.getElementById('dialog');
  const close = () => dialog.close();
  dialog.replaceChildren(
    h('div', { class: 'head' }, h('h2', { id: 'dialog-title' }, title),
      h('button', { type: 'button', class: 'quiet small', onclick: close }, 'Close')),
    h('div', { class: 'body' }, ...content));
  dialog.setAttribute('aria-labelledby', 'dialog-title');
  if (!dialog.open) dialog.showModal();
  return close;
}
