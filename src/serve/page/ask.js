// The view `Ask`: questions, answers with evidence, and follow-ups.

import { counted, h, open, postForEvents, problemBox, say } from './dom.js';
import { momentItem } from './lines.js';
import { indexed } from './videos.js';

// the turns stay while other views are open, and in this tab when the page is loaded again
const turns = [];
let conversation = null;
let busy = null;
const KEPT = 20;

/** Keeps the answered turns in this tab. */
function keep() {
  const told = turns.filter((turn) => turn.answered).slice(0, KEPT);
  try {
    sessionStorage.setItem('turns', JSON.stringify({ conversation, turns: told.map(({ question, videos, answered }) => ({ question, videos, answered })) }));
  } catch { /* no room, or not allowed */ }
}

/** Brings the turns of this tab back. */
function restore() {
  try {
    const kept = JSON.parse(sessionStorage.getItem('turns') ?? 'null');
    if (!kept || turns.length) return;
    conversation = kept.conversation;
    for (const { question, videos, answered } of [...kept.turns].reverse()) {
      const turn = newTurn(question, videos);
      turn.answered = answered;
      turn.state.replaceChildren(...shown(turn, answered));
    }
  } catch { /* nothing was kept */ }
}

/** Forgets all turns: a video that they are about was forgotten. */
export function forgetTurns() {
  turns.length = 0;
  conversation = null;
  sessionStorage.removeItem('turns');
}

export async function ask(query) {
  const videos = await indexed(true);
  restore();
  const log = h('div', { class: 'stack', id: 'turns' }, ...turns.map((turn) => turn.box));
  const field = h('input', { id: 'question', name: 'question', placeholder: 'Where did I last see the keys?', autocomplete: 'off', required: true, maxlength: 2000, oninput: () => field.setCustomValidity(''), value: query.get('question') ?? '' });
  const about = h('select', { id: 'about' },
    h('option', { value: '' }, 'All videos'),
    ...videos.map((video) => h('option', { value: video.digest }, video.name)));
  about.value = query.get('video') ?? '';
  const button = h('button', { type: 'submit' }, 'Ask');
  const form = h('form', {
    class: 'stack',
    onsubmit: (event) => {
      event.preventDefault();
      if (!field.value.trim()) {
        field.setCustomValidity('Write a question first.');
        field.reportValidity();
        return;
      }
      const turn = newTurn(field.value.trim(), about.value ? [about.value] : []);
      log.prepend(turn.box);
      field.value = '';
      answer(turn, button);
    },
  },
  h('div', { class: 'ask-form' },
    h('label', { for: 'question', class: 'visually-hidden' }, 'Your question'), field, button),
  h('div', { class: 'filters' }, h('div', { class: 'field' }, h('label', { for: 'about' }, 'About'), about)));
  const none = videos.length === 0;
  return {
    title: 'Ask',
    parts: [
      h('div', { class: 'head' }, h('div', {}, h('h1', {}, 'Ask your videos'),
        h('p', { class: 'lead' }, 'The answer comes from what the models wrote down, with the moments that support it. Nothing leaves this machine.')),
      h('button', { type: 'button', class: 'quiet small', onclick: () => { forgetTurns(); log.replaceChildren(); field.focus(); } }, 'New conversation')),
      none
        ? h('div', { class: 'empty' }, h('h2', {}, 'No video is indexed yet'), h('p', {}, 'Models must look at a video once before you can ask about it.'), h('a', { class: 'button', href: '#/library' }, 'Choose videos'))
        : form,
      log,
    ],
    ready: () => field.focus(),
  };
}

function newTurn(question, videos) {
  const state = h('div', { class: 'stack' });
  const box = h('article', { class: 'card turn', 'aria-label': question }, h('h2', {}, question), state);
  const turn = { question, videos, state, box };
  turns.unshift(turn);
  return turn;
}

/** Asks, and shows what happens. */
async function answer(turn, button) {
  busy?.abort();
  const stop = new AbortController();
  busy = stop;
  const step = h('span', {}, 'Thinking…');
  const draft = h('p', { class: 'answer soft' });
  turn.state.replaceChildren(
    h('div', { class: 'progress' }, h('span', { class: 'spinner', 'aria-hidden': 'true' }), step,
      h('button', { type: 'button', class: 'quiet small', onclick: () => stop.abort() }, 'Stop')),
    draft);
  if (button) button.disabled = true;
  try {
    let last = null;
    await inConversation((conversation) => postForEvents('/api/ask', { question: turn.question, videos: turn.videos, conversation }, (name, data) => {
      if (name === 'progress') step.textContent = STEPS[data.step.split(' / ')[0]] ?? 'Working…';
      if (name === 'text') draft.textContent += data.text;
      if (name === 'answer') last = data;
      if (name === 'error') throw Object.assign(new Error(data.error.message), { hint: data.error.hint });
    }, stop.signal));
    if (!last) throw Object.assign(new Error('The server ended the answer too early.'), { hint: 'Ask again.' });
    conversation = last.conversation;
    turn.answered = last;
    keep();
    turn.state.replaceChildren(...shown(turn, last));
    say(`${last.answer} ${counted(last.evidence.length, 'moment')} for it.`);
  } catch (error) {
    turn.state.replaceChildren(error.name === 'AbortError' ? h('p', { class: 'soft' }, 'Stopped.') : problemBox(error), again(turn));
  } finally {
    if (button) button.disabled = false;
    if (busy === stop) busy = null;
  }
}

/** Asks within the conversation, or without one if the server no longer knows it. */
async function inConversation(ask) {
  try {
    await ask(conversation);
  } catch (error) {
    if (error.param !== 'conversation') throw error;
    conversation = null;
    await ask(null);
  }
}

function again(turn) {
  return h('div', { class: 'row' }, h('button', { type: 'button', class: 'quiet small', onclick: () => answer(turn) }, 'Ask again'));
}

// what goes on, in words
const STEPS = { log: 'Reading the journal…', answer: 'Choosing the moments that matter, and checking the answer…' };

const BASES = {
  computed: 'counted or looked up, not guessed',
  placed: 'from one moment',
  read: 'understood by the language model, and checked',
  nothing: 'nothing found',
};

// what the evidence rests on
const LEVELS = { speech: 'from what was said', ranking: 'from what was seen', captions: 'from captions', sounds: 'from sounds', detection: 'from detected things', text: 'from text in pictures' };

function shown(turn, answered) {
  const changed = () => answer(turn);
  const sure = answered.confidence === null || answered.abstained ? null : `${Math.round(answered.confidence * 100)} % sure`;
  const understood = answered.question && answered.question !== turn.question
    ? h('p', { class: 'soft' }, `Understood as: ${answered.question}`) : null;
  return [
    h('p', { class: 'answer' }, answered.answer),
    h('p', { class: 'row' },
      answered.basis && h('span', { class: answered.abstained ? 'chip warm' : 'chip' }, BASES[answered.basis] ?? answered.basis),
      sure && h('span', { class: 'chip' }, sure),
      ...answered.levels.map((level) => h('span', { class: 'chip' }, LEVELS[level] ?? level))),
    understood,
    answered.note && h('p', { class: 'chip warm' }, answered.note),
    answered.translated_from && h('p', { class: 'chip warm' }, `A model translated this, and nobody checked it: ${answered.translated_from}`),
    answered.abstained && answered.searched && !answered.note && h('p', { class: 'soft' }, `The journal has nothing that fits: ${answered.searched.split('topic: ').pop().slice(0, 200)}`),
    answered.evidence.length
      ? h('section', { 'aria-label': 'Evidence' }, h('h3', {}, answered.evidence.length === 1 ? 'The moment that supports it' : `The ${answered.evidence.length} moments that support it`),
        h('ol', { class: 'evidence' }, ...answered.evidence.map((item) => momentItem(item, changed))))
      : null,
    h('div', { class: 'row' },
      h('a', { class: 'button quiet small', href: `#/run/${answered.run}` }, 'Which model said what'),
      h('button', { type: 'button', class: 'quiet small', onclick: () => graph(answered.dialogue) }, 'How it was answered'),
      h('button', { type: 'button', class: 'quiet small', onclick: changed }, 'Ask again')),
  ].filter(Boolean);
}

/** Shows the graph of a dialogue. */
async function graph(name) {
  const image = h('img', { class: 'graph fit', src: `/api/dialogues/${encodeURIComponent(name)}/graph?expand=true`, alt: `The graph of the dialogue ${name}` });
  const size = h('button', { type: 'button', class: 'quiet small', onclick: () => { size.textContent = image.classList.toggle('fit') ? 'Full size' : 'Whole graph'; } }, 'Full size');
  open(`The dialogue ${name}`,
    h('div', { class: 'row' }, h('p', { class: 'soft' }, 'Each box is a step; its text names the model that is asked.'), size),
    h('div', { class: 'graph-box', tabindex: 0, role: 'group', 'aria-label': 'The graph, which scrolls' }, image));
}
