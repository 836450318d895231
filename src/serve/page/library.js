// The view `Videos`: what is indexed, what can be, and what goes on; export and forget.

import { clock, h, open, post, problemBox, say } from './dom.js';
import { playMoment } from './lines.js';
import { forget as closePlayer } from './player.js';
import { videos } from './videos.js';

const STATES = { queued: 'waiting', indexing: 'models look at it', done: 'indexed', failed: 'failed' };
const FORMATS = [['jsonl', 'JSON lines'], ['csv', 'Table (CSV)'], ['srt', 'Subtitles (SRT)'], ['vtt', 'Subtitles (WebVTT)'], ['otio', 'Editor markers (OTIO)'], ['ics', 'Calendar (ICS)']];

export async function library() {
  const list = h('ul', { class: 'videos' });
  const failed = h('div', {});
  const cards = new Map();
  const fill = async () => {
    const all = await videos(true);
    cards.clear();
    list.replaceChildren(...all.map((video) => {
      const card = cardOf(video, fill, failed);
      cards.set(video.path, card);
      return card;
    }));
    empty.hidden = all.length > 0;
    everything.hidden = !all.some((video) => !video.digest);
  };
  const empty = h('div', { class: 'empty', hidden: true }, h('h2', {}, 'No videos yet'),
    h('p', {}, 'Start the server with a folder of videos, or index one in a terminal:'),
    h('pre', { tabindex: 0 }, 'elenchus serve ~/Videos\nelenchus index day.mp4'));
  const everything = h('button', { type: 'button', hidden: true, onclick: () => index([], failed) }, 'Index all');
  await fill();
  const events = new EventSource('/api/events');
  let soon = null;
  events.addEventListener('index', (event) => {
    const job = JSON.parse(event.data);
    const card = cards.get(job.path);
    if (card && (job.state === 'indexing' || job.state === 'queued')) {
      showJob(card, job);
    } else {
      clearTimeout(soon);
      soon = setTimeout(() => fill().catch(() => {}), 200);
      if (job.state === 'done') say('A video was indexed.');
    }
  });
  return {
    title: 'Videos',
    leave: () => { events.close(); clearTimeout(soon); },
    parts: [
      h('div', { class: 'head' }, h('div', {}, h('h1', {}, 'Videos'),
        h('p', { class: 'lead' }, 'Models look at each video once, and write down what was seen, done and said.')),
      h('div', { class: 'row' }, everything,
        h('button', { type: 'button', class: 'quiet', onclick: () => exportDialog(null) }, 'Export all'),
        h('button', { type: 'button', class: 'quiet', onclick: () => forgetWord(fill) }, 'Forget a word'))),
      failed, empty, list,
    ],
  };
}

async function index(paths, failed) {
  failed.replaceChildren();
  try {
    const { queued } = await post('/api/index', { paths });
    say(queued === 1 ? 'The video waits to be indexed.' : `${queued} videos wait to be indexed.`);
  } catch (error) {
    failed.replaceChildren(problemBox(error));
  }
}

function showJob(card, job) {
  const box = card.querySelector('.job');
  const step = job.step ? ` · ${job.step.replaceAll('_', ' ')}` : '';
  box.replaceChildren(
    h('p', { class: 'soft' }, `${STATES[job.state]}${job.state === 'indexing' ? `${step} · ${job.exchanges} exchanges` : ''}`),
    job.state === 'indexing' ? h('progress', { 'aria-label': `Indexing ${card.dataset.name}` }) : null,
    ...(job.error ? [h('p', { class: 'chip bad' }, job.error)] : []));
}

function cardOf(video, fill, failed) {
  const about = [
    video.seconds !== null && clock(video.seconds),
    video.wall_ms !== null && new Date(video.wall_ms).toLocaleString(undefined, { timeZone: zoneOf(video.zone) }),
    video.digest && `${video.lines} lines`,
  ].filter(Boolean).join(' · ');
  const card = h('li', { class: 'card video', 'data-path': video.path, 'data-name': video.name },
    video.digest
      ? h('img', { class: 'picture', src: `/api/media/${video.digest}/thumbnail`, alt: '', loading: 'lazy', onerror: (event) => { event.target.style.visibility = 'hidden'; } })
      : h('div', { class: 'picture' }),
    h('div', {}, h('h2', {}, video.name), h('p', { class: 'soft' }, about || 'not indexed yet')),
    video.levels.length ? h('p', { class: 'row' }, ...video.levels.map((level) => h('span', { class: 'chip' }, level))) : null,
    h('div', { class: 'job' }),
    video.digest
      ? h('div', { class: 'row' },
        h('button', { type: 'button', class: 'small', onclick: () => playMoment({ digest: video.digest, video: video.path, start: video.start, end: video.start + video.seconds }) }, 'Play'),
        h('a', { class: 'button quiet small', href: `#/ask?video=${video.digest}` }, 'Ask'),
        h('a', { class: 'button quiet small', href: `#/timeline?video=${video.digest}` }, 'Timeline'),
        h('button', { type: 'button', class: 'quiet small', onclick: () => exportDialog(video) }, 'Export'),
        h('button', { type: 'button', class: 'quiet small', onclick: () => forgetVideo(video, fill) }, 'Forget'))
      : h('div', { class: 'row' }, h('button', { type: 'button', class: 'small', onclick: () => index([video.path], failed) }, 'Index')));
  if (video.job && (video.job.state !== 'done')) showJob(card, video.job);
  return card;
}

function zoneOf(zone) {
  try {
    Intl.DateTimeFormat(undefined, { timeZone: zone });
    return zone ?? undefined;
  } catch {
    return undefined;
  }
}

function exportDialog(video) {
  const of = video ? `&video=${video.digest}` : '';
  const formats = FORMATS.filter(([format]) => video || !['srt', 'vtt'].includes(format));
  open(video ? `Export ${video.name}` : 'Export the whole journal',
    h('p', { class: 'soft' }, 'The lines of the journal, in the format of another program.'),
    h('div', { class: 'row' }, ...formats.map(([format, name]) => h('a', { class: 'button quiet', href: `/api/export?format=${format}${of}`, download: '' }, name))));
}

function receipt(title, told) {
  open(title, h('p', {}, 'This was removed:'),
    h('ul', { class: 'receipt' },
      h('li', {}, `${told.lines} lines of the journal`),
      h('li', {}, told.exchanges === null ? 'the whole memo' : `${told.exchanges} replies of models`),
      h('li', {}, `${told.vectors} vectors`),
      ...told.files.map((file) => h('li', {}, file)),
      ...told.left.map((line) => h('li', { class: 'chip bad' }, line))),
    h('p', { class: 'soft' }, 'The video file itself stays where it is.'));
}

function forgetVideo(video, fill) {
  const failed = h('div', {});
  open(`Forget ${video.name}?`,
    h('p', {}, 'Everything that models wrote down about this video is removed for good: lines, replies, vectors, clips and transcripts. The video file stays.'),
    failed,
    h('div', { class: 'row' }, h('button', {
      type: 'button',
      class: 'bad',
      onclick: async () => {
        try {
          const told = await post('/api/forget', { video: video.digest });
          closePlayer(video.digest);
          receipt(`${video.name} is forgotten`, told);
          await fill();
        } catch (error) {
          failed.replaceChildren(problemBox(error));
        }
      },
    }, 'Forget it')));
}

function forgetWord(fill) {
  const failed = h('div', {});
  const field = h('input', { id: 'word', autocomplete: 'off', required: true });
  open('Forget a word or a name',
    h('form', {
      class: 'stack',
      onsubmit: async (event) => {
        event.preventDefault();
        try {
          const told = await post('/api/forget', { word: field.value });
          receipt(`“${field.value}” is forgotten`, told);
          await fill();
        } catch (error) {
          failed.replaceChildren(problemBox(error));
        }
      },
    },
    h('p', {}, 'Every line with this word, in any inflection, is removed for good.'),
    h('div', { class: 'field' }, h('label', { for: 'word' }, 'Word'), field), failed,
    h('div', { class: 'row' }, h('button', { type: 'submit', class: 'bad' }, 'Forget it'))));
}
