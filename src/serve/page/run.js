// The view `Run`: which model was asked what, and what it replied.

import { get, h } from './dom.js';
import { short } from './lines.js';

export async function run(_, [id]) {
  const { run: record, cast, exchanges } = await get(`/api/runs/${encodeURIComponent(id)}`);
  return {
    title: 'Run',
    parts: [
      h('div', { class: 'head' }, h('div', {}, h('h1', {}, 'Which model said what'), h('p', { class: 'lead' }, record.question)),
        h('a', { class: 'button quiet small', href: `/api/runs/${record.id}/transcript`, download: `run-${record.id}.jsonl` }, 'Save the transcript')),
      h('p', { class: 'row' },
        h('span', { class: 'chip' }, `dialogue ${record.dialogue}`), h('span', { class: 'chip' }, record.state),
        h('span', { class: 'chip' }, `${record.exchanges} exchanges, ${record.memo_hits} known before`), h('span', { class: 'chip' }, `${(record.elapsed_ms / 1000).toFixed(1)} s`)),
      record.answer && h('p', { class: 'answer' }, record.answer),
      h('ol', { class: 'evidence' }, ...exchanges.slice(0, 500).map((exchange) => h('div', { class: 'exchange', role: 'listitem' },
        h('h2', {}, exchange.path), h('p', { class: 'soft' }, `asked of ${exchange.role}${cast[exchange.role] && cast[exchange.role] !== exchange.role ? ` (${cast[exchange.role]})` : ''}${exchange.timing?.memo_hit ? ' · known before' : ''}`),
        h('pre', { tabindex: 0 }, asked(exchange.request)),
        h('pre', { tabindex: 0 }, exchange.reply ? short(exchange.reply) : exchange.error?.message ?? '')))),
      exchanges.length > 500 ? h('p', { class: 'soft' }, 'The transcript has the other exchanges.') : null,
    ].filter(Boolean),
  };
}

/** A request in few lines. */
function asked(request) {
  const say = request.say;
  if (say) return say.messages.map((message) => message.content).join('\n') + (say.choices?.length ? `\n(one of: ${say.choices.join(' | ')})` : '');
  if (request.journal) return 'reads the journal';
  const [kind] = Object.keys(request);
  const text = JSON.stringify(request[kind]);
  return `${kind}: ${text.length > 1200 ? `${text.slice(0, 1200)}…` : text}`;
}
