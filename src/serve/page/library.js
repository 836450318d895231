// The view `Videos`: what is indexed, what can be, and what goes on; export and forget.

import { forgetTurns } from './ask.js';
import { clock, counted, h, open, post, problemBox, say } from './dom.js';
import { playMoment } from './lines.js';
import { forget as closePlayer } from './player.js';
import { videos } from './videos.js';

const STATES = { queued: 'Waiting for its turn', indexing: 'The models look and listen', done: 'Indexed', failed: 'This file cannot be indexed:' };
const LEVELS = { speech: 'heard', ranking: 'seen', captions: 'captions', sounds: 'sounds', detection: 'things detected', text: 'text read' };
const FILES = { gone: 'The file was moved or removed. What was written down stays, but it cannot be played.', replaced: 'Another file has its name now. What was written down about the old one stays.' };
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
  const index = card.querySelector('[data-index]');
  if (index) index.disabled = job.state === 'queued' || job.state === 'indexing';
  box.replaceChildren(...[
    h('p', { class: 'soft' }, job.state === 'indexing' ? `${STATES.indexing}: ${counted(job.exchanges, 'reply', 'replies')} so far` : STATES[job.state]),
    job.state === 'indexing' && h('progress', { 'aria-label': `Indexing ${card.dataset.name}` }),
    job.note && h('p', { class: 'chip warm' }, job.note),
    job.error && h('p', { class: 'problem' }, job.error.split('/').pop()),
  ].filter(Boolean));
}

function cardOf(video, fill, failed) {
  const about = [
    video.seconds !== null && clock(video.seconds),
    video.wall_ms !== null && new Date(video.wall_ms).toLocaleString(undefined, { timeZone: zoneOf(video.zone) }),
    video.digest && `${video.lines} lines`,
  ].filter(Boolean).join(' · ');
  const card = h('li', { class: 'card video', 'data-path': video.path, 'data-name': video.name },
    video.digest && video.file === 'there'
      ? h('img', { class: 'picture', src: `/api/media/${video.digest}/thumbnail`, alt: '', loading: 'lazy', onerror: (event) => { event.target.style.visibility = 'hidden'; } })
      : h('div', { class: 'picture' }),
    h('div', {}, h('h2', {}, video.name), h('p', { class: 'soft' }, about || (video.same_as ? `The same video as ${video.same_as}, which is indexed` : 'not indexed yet'))),
    FILES[video.file] ? h('p', { class: 'problem' }, FILES[video.file]) : null,
    video.levels.length ? h('p', { class: 'row' }, ...video.levels.map((level) => h('span', { class: 'chip' }, LEVELS[level] ?? level))) : null,
    h('div', { class: 'job' }),
    video.digest
      ? h('div', { class: 'row' },
        h('button', { type: 'button', class: 'small', disabled: video.file !== 'there', onclick: () => playMoment({ digest: video.digest, video: video.path, start: video.start, end: video.start + video.seconds }) }, 'Play'),
        h('a', { class: 'button quiet small', href: `#/ask?video=${video.digest}` }, 'Ask'),
        h('a', { class: 'button quiet small', href: `#/timeline?video=${video.digest}` }, 'Timeline'),
        h('button', { type: 'button', class: 'quiet small', onclick: () => exportDialog(video) }, 'Export'),
        h('button', { type: 'button', class: 'quiet small', onclick: () => forgetVideo(video, fill) }, 'Forget'))
      : h('div', { class: 'row' }, h('button', { type: 'button', class: 'small', 'data-index': '', disabled: Boolean(video.same_as), onclick: () => index([video.path], failed) }, 'Index')));
  if (video.job && (video.job.state !== 'done' || video.job.note)) showJob(card, video.job);
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
  if (!told.digests.length && !told.lines) {
    open('Nothing was found', h('p', {}, 'The journal has no line with it, so nothing was removed.'));
    return;
  }
  forgetTurns();
  open(title, h('p', {}, 'This was removed:'),
    h('ul', { class: 'receipt' },
      h('li', {}, `${counted(told.lines, 'line')} of the journal`),
      h('li', {}, told.exchanges === null ? 'all kept replies of models' : counted(told.exchanges, 'reply of a model', 'replies of models')),
      h('li', {}, `${counted(told.vectors, 'vector')} of texts and pictures`),
      ...told.files.map((file) => h('li', {}, file)),
      ...told.left.map((line) => h('li', { class: 'chip bad' }, line))),
    h('p', { class: 'soft' }, 'The video file itself stays where it is.'));
}

function forgetVideo(video, fill) {
  const failed = h('div', {});
  open(`Forget ${video.name}?`,
    h('p', {}, 'Everything that models wrote down about this video is removed for good: lines, replies, vectors, clips and transcripts. The video file stays.'),
    failed,
    h('div', { class: 'row' }, cancel(), h('button', {
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
    }, 'Forget it for good')));
}

function cancel() {
  return h('button', { type: 'button', class: 'quiet', onclick: () => document.getElementById('dialog').close() }, 'Cancel');
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
    h('div', { class: 'row' }, cancel(), h('button', { type: 'submit', class: 'bad' }, 'Forget it for good'))));
}
