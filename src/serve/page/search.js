// The view `Search`: lines and frames that fit words, with the reason of each hit.

import { h, post, problemBox, say } from './dom.js';
import { momentItem } from './lines.js';
import { indexed } from './videos.js';

const SENSES = ['seen', 'done', 'heard', 'sound', 'caption'];

export async function search(query) {
  const videos = await indexed();
  const found = h('div', { class: 'stack', 'aria-live': 'polite' });
  const field = h('input', { id: 'words', name: 'words', placeholder: 'washing hands', autocomplete: 'off', required: true, value: query.get('words') ?? '' });
  const about = h('select', { id: 'of' }, h('option', { value: '' }, 'All videos'),
    ...videos.map((video) => h('option', { value: video.digest }, video.name)));
  about.value = query.get('video') ?? '';
  const sense = h('select', { id: 'sense' }, h('option', { value: '' }, 'Seen, done or heard'),
    ...SENSES.map((name) => h('option', { value: name }, name)));
  sense.value = query.get('sense') ?? '';
  const look = async () => {
    found.replaceChildren(h('div', { class: 'progress' }, h('span', { class: 'spinner', 'aria-hidden': 'true' }), 'Searching…'));
    try {
      const body = { words: field.value, videos: about.value ? [about.value] : [], senses: sense.value ? [sense.value] : [], top: 30 };
      const { hits, notes } = await post('/api/search', body);
      say(`${hits.length} moments found`);
      found.replaceChildren(...notes.map((note) => h('p', { class: 'soft' }, note)),
        hits.length
          ? h('ol', { class: 'evidence' }, ...hits.map((hit) => momentItem(hit, look, [reason(hit)])))
          : h('div', { class: 'empty' }, h('h2', {}, 'Nothing fits these words'), h('p', {}, 'Try other words, or fewer. Only what the models wrote down can be found.')));
    } catch (error) {
      found.replaceChildren(problemBox(error));
    }
  };
  const form = h('form', {
    class: 'stack',
    onsubmit: (event) => {
      event.preventDefault();
      const next = new URLSearchParams({ words: field.value, ...(about.value && { video: about.value }), ...(sense.value && { sense: sense.value }) });
      history.replaceState(null, '', `#/search?${next}`);
      look();
    },
  },
  h('div', { class: 'search-form' }, h('label', { for: 'words', class: 'visually-hidden' }, 'Words'), field, h('button', { type: 'submit' }, 'Search')),
  h('div', { class: 'filters' },
    h('div', { class: 'field' }, h('label', { for: 'of' }, 'In'), about),
    h('div', { class: 'field' }, h('label', { for: 'sense' }, 'What'), sense)));
  if (field.value) look();
  return {
    title: 'Search',
    parts: [
      h('div', { class: 'head' }, h('div', {}, h('h1', {}, 'Search'),
        h('p', { class: 'lead' }, 'Finds what was seen, done and said, by words and by meaning. The score says how rare such a hit is among searches for other things.'))),
      form, found,
    ],
    ready: () => field.focus(),
  };
}

function reason(hit) {
  return h('p', { class: 'row' },
    h('span', { class: `sense ${hit.sense}` }, hit.sense),
    h('span', { class: 'chip' }, `score ${hit.score.toFixed(2)}`),
    h('span', { class: 'soft' }, hit.why.join('; ')));
}
