// A moment with its picture and what can be done with it: play it, correct its lines.

import { clock, counted, fileName, get, h, note, open, post, problemBox, when } from './dom.js';
import { play } from './player.js';
import { isOnly, originOf, videos } from './videos.js';

/** Plays a moment of a video. */
export async function playMoment(item) {
  await videos();
  play({ ...item, origin: originOf(item.digest) });
}

/** A moment as a list item: picture, time, text and buttons. `changed` is called after a correction. */
export function momentItem(item, changed, more = []) {
  const at = (item.start + item.end) / 2;
  return h('li', {},
    item.digest
      ? h('img', { src: `/api/media/${item.digest}/thumbnail?at=${at.toFixed(3)}`, alt: '', loading: 'lazy', width: 128, height: 80, onerror: (event) => { event.target.style.visibility = 'hidden'; } })
      : h('span', {}),
    h('div', {}, h('p', { class: 'soft when' }, isOnly() ? when(item) : `${fileName(item.video)} · ${when(item)}`), h('p', { class: 'text' }, item.text), ...more),
    h('div', { class: 'row' },
      item.digest && h('button', { type: 'button', class: 'small', 'data-play': item.start, onclick: () => playMoment(item) }, 'Play', h('span', { class: 'visually-hidden' }, ` ${when(item)}`)),
      item.digest && h('button', { type: 'button', class: 'quiet small', onclick: () => correct(item, changed) }, 'Wrong?')));
}

/** Opens the lines of a moment, so that one can be corrected. `changed` is called after a correction. */
export async function correct(item, changed, typed = new Map()) {
  const close = open('What is wrong?', h('p', { class: 'soft' }, 'Loading…'));
  try {
    const query = new URLSearchParams({ video: item.digest, from: item.start, to: item.end, limit: 50 });
    const { lines } = await get(`/api/lines?${query}`);
    const done = (what, undo) => {
      close();
      note(what, undo && (async () => { await undo(); changed?.(); }));
      changed?.();
    };
    open('What is wrong?',
      h('p', { class: 'soft' }, `These are the journal's lines about ${when(item)}. A correction is kept beside the line, and wins.`),
      lines.length ? null : h('p', {}, 'The journal has no line about this moment.'),
      ...lines.map((line) => lineForm(line, done, typed, () => correct(item, changed, typed))));
  } catch (error) {
    open('What is wrong?', problemBox(error));
  }
}

/** True for a line that the user wrote. A correction that was taken back is the models' line again. */
function isMine(line) {
  return Boolean(line.corrects) && (line.cast ?? null) === null;
}

/** A form for one line. `typed` keeps what was typed while another dialogue is open; `back` comes back to this one. */
function lineForm(line, done, typed, back) {
  const id = `line-${line.id}`;
  const field = h('input', { id, value: typed.get(line.id) ?? line.text, autocomplete: 'off', oninput: () => typed.set(line.id, field.value) });
  const failed = h('div', {});
  const send = async (body, what) => {
    try {
      const made = await post(`/api/lines/${line.id}/correct`, body);
      done(what, body.restore ? null : () => post(`/api/lines/${made.corrects ?? line.id}/correct`, { restore: true }));
    } catch (error) {
      failed.replaceChildren(problemBox(error));
    }
  };
  return h('form', {
    class: 'exchange',
    onsubmit: (event) => {
      event.preventDefault();
      if (field.value.trim()) send({ text: field.value }, 'The line was corrected.');
      else failed.replaceChildren(problemBox({ message: 'Write what the line should say.', hint: 'If nothing of the kind happened, press “This never happened”.' }));
    },
  },
  h('label', { for: id }, h('span', { class: `sense ${line.sense}` }, line.sense), ` ${clock(line.start)}–${clock(line.end)}${isMine(line) ? ' (your correction)' : ''}`),
  field,
  h('div', { class: 'row' },
    h('button', { type: 'submit', class: 'small' }, 'Save'),
    h('button', { type: 'button', class: 'quiet small', onclick: () => send({ remove: true }, 'The line was removed.') }, 'This never happened'),
    isMine(line) ? h('button', { type: 'button', class: 'quiet small', onclick: () => post(`/api/lines/${line.corrects}/correct`, { restore: true }).then(() => done('The line is again what the models said.'), (error) => failed.replaceChildren(problemBox(error))) }, 'Take my correction back') : null,
    h('button', { type: 'button', class: 'quiet small', onclick: () => behind(line.id, back) }, 'Where does this come from?')),
  failed);
}

/** Shows the exchanges behind a line. `back` opens what was open before. */
export async function behind(id, back) {
  open('Where does this come from?', h('p', { class: 'soft' }, 'Loading…'));
  try {
    const { line, exchanges } = await get(`/api/lines/${id}`);
    open('Where does this come from?',
      h('p', {}, h('span', { class: `sense ${line.sense}` }, line.sense), ' ', line.text),
      h('p', { class: 'soft' }, isMine(line) ? 'You wrote this line.' : `Written by: ${line.cast || 'unknown models'}`),
      line.labels?.length ? h('p', { class: 'row' }, ...line.labels.map((label) => h('span', { class: 'chip' }, `${label.text}${label.score ? ` ${(label.score * 100).toFixed(0)} %` : ''}`))) : null,
      back ? h('div', { class: 'row' }, h('button', { type: 'button', class: 'quiet small', onclick: back }, 'Back')) : null,
      exchanges.length ? h('p', { class: 'soft' }, `${counted(exchanges.length, 'reply', 'replies')} of models that led to it, the first 20 here:`) : null,
      ...exchanges.slice(0, 20).map((exchange) => h('div', { class: 'exchange' },
        h('pre', { tabindex: 0 }, exchange.reply ? short(exchange.reply) : 'The memo no longer has this reply.'))),
      h('p', {}, h('a', { href: `/api/lines/${id}/clip`, download: '' }, 'Save this moment as a clip')));
  } catch (error) {
    open('Where does this come from?', problemBox(error));
  }
}

/** A reply in few lines: the best labels of a ranking, the text of others. */
export function short(reply) {
  const lines = reply.journal?.lines;
  if (Array.isArray(lines)) return `${counted(lines.length, 'line')} of the journal:\n${lines.slice(0, 8).map((line) => line.text).join('\n')}${lines.length > 8 ? '\n…' : ''}`;
  if (reply.journal) return 'the state of the journal';
  const rank = reply.rank;
  if (Array.isArray(rank)) {
    const best = [...rank].sort((a, b) => b.probability - a.probability).slice(0, 5);
    return best.map((label) => `${label.text}  ${(label.probability * 100).toFixed(1)} %`).join('\n');
  }
  const said = reply.say?.text ?? reply.look?.text;
  if (said !== undefined) return said;
  if (Array.isArray(reply.hear)) return reply.hear.map((part) => part.text).join('\n') || '(nothing was said)';
  const text = JSON.stringify(reply, null, 1);
  return text.length > 2000 ? `${text.slice(0, 2000)}…` : text;
}
