// The player: plays a moment of a video, and stops at its end.

import { clock, fileName, say } from './dom.js';

const box = document.getElementById('player');
const video = box.querySelector('video');
const frame = document.querySelector('.frame');
let current = null;
let stopAt = null;
/** The moment ends with its last picture, so many seconds before its end. */
const LAST = 0.05;

/** Plays a moment: `digest`, `video` (its path), `start` and `end` in seconds, and `origin`, the time of the video's first picture. */
export function play(moment) {
  const source = `/api/media/${moment.digest}`;
  current = moment;
  box.hidden = false;
  frame.classList.add('with-player');
  box.querySelector('.player-title').textContent = fileName(moment.video);
  box.querySelector('.player-span').textContent = `${clock(moment.start)}–${clock(moment.end)}${moment.text ? ` · ${moment.text}` : ''}`;
  const span = new URLSearchParams({ from: moment.start, to: moment.end });
  document.getElementById('save').href = `${source}/clip?${span}`;
  const begin = () => {
    stopAt = moment.end - (moment.origin ?? 0);
    video.currentTime = Math.max(0, moment.start - (moment.origin ?? 0));
    video.play().catch(() => { /* the browser wants a click first; the moment is shown */ });
  };
  if (video.dataset.source === source && video.readyState >= 1) {
    begin();
  } else {
    video.dataset.source = source;
    video.src = source;
    video.addEventListener('loadedmetadata', begin, { once: true });
  }
  if (matchMedia('(max-width: 760px)').matches) box.scrollIntoView({ block: 'start' });
  say(`Playing ${fileName(moment.video)} from ${clock(moment.start)}`);
}

/** Shows a player that is open no more. */
export function close() {
  video.pause();
  box.hidden = true;
  frame.classList.remove('with-player');
}

/** Closes the player if it plays this video. */
export function forget(digest) {
  if (current?.digest === digest) {
    close();
    video.removeAttribute('src');
    delete video.dataset.source;
    video.load();
  }
}

// `timeupdate` comes four times a second, which is too rare to stop at a picture of the moment
function watch() {
  if (stopAt !== null && video.currentTime >= stopAt - LAST) {
    const end = stopAt;
    stopAt = null;
    video.pause();
    if (video.currentTime > end - LAST) video.currentTime = Math.max(0, end - LAST);
  }
  if (stopAt !== null) requestAnimationFrame(watch);
}
video.addEventListener('timeupdate', watch);
video.addEventListener('playing', watch);
// who seeks or plays on wants to see more than the moment
video.addEventListener('seeking', () => {
  if (current && Math.abs(video.currentTime - Math.max(0, current.start - (current.origin ?? 0))) > 0.5) stopAt = null;
});
video.addEventListener('error', async () => {
  const source = video.dataset.source;
  if (!source) return;
  delete video.dataset.source;
  const answer = await fetch(source, { headers: { Range: 'bytes=0-0' } }).catch(() => null);
  const why = answer && !answer.ok ? (await answer.json().catch(() => null))?.error?.message : null;
  box.querySelector('.player-span').textContent = why ?? (answer ? 'This browser cannot play the format of this video.' : 'The server does not answer.');
});
box.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') close();
});
box.addEventListener('click', (event) => {
  const act = event.target.closest('button')?.dataset.act;
  if (act === 'again' && current) play(current);
  if (act === 'close') close();
});
