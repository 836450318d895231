// The view `Timeline`: lanes of places, activities, speech and sounds, from a week down to a second; and the same lines as a list.

import { clock, fileName, get, h, say } from './dom.js';
import { correct, playMoment } from './lines.js';
import { indexed, isOnly } from './videos.js';

const LANES = [['place', 'Place'], ['activity', 'Doing'], ['speech', 'Said'], ['sound', 'Sounds'], ['other', 'Other']];
const LANE_OF = { seen: 'place', done: 'activity', heard: 'speech', sound: 'sound' };
const ROW = 44;
const PAGE = 5000;
const LEFT = 72;
const TOP = 26;

/** All lines of a video, or of all videos, in pages. */
async function allLines(video) {
  const lines = [];
  for (;;) {
    const query = new URLSearchParams({ skip: lines.length, limit: PAGE, ...(video && { video }) });
    const reply = await get(`/api/lines?${query}`);
    lines.push(...reply.lines);
    if (!reply.lines.length || lines.length >= reply.total) return lines;
  }
}

/** Puts lines on one axis, in seconds: wall-clock time where it is known for all, else the videos one after another. */
function onAxis(lines, videos) {
  const isKnown = lines.length > 0 && lines.every((line) => line.at);
  const offsets = new Map();
  let next = 0;
  for (const video of videos) {
    offsets.set(video.digest, next - video.start);
    next += video.seconds + 10;
  }
  // where each video begins on the axis, if they do not have one clock
  const marks = isKnown ? [] : videos.map((video) => ({ from: video.start + offsets.get(video.digest), start: video.start, name: video.name }));
  const placed = lines.map((line) => {
    const from = isKnown ? Date.parse(line.at) / 1000 : line.start + (offsets.get(line.digest) ?? 0);
    return { line, from, to: from + Math.max(0.04, line.end - line.start), lane: LANE_OF[line.sense] ?? 'other' };
  });
  placed.sort((a, b) => a.from - b.from);
  return { placed, isKnown, marks };
}

/** What stands on a block: a place without the things in it. */
function titleOf({ line, lane }) {
  return lane === 'place' ? line.text.split('. ')[0].replace(/\.$/, '') : line.text;
}

export async function timeline(query) {
  const videos = await indexed();
  const about = h('select', { id: 'shown' }, h('option', { value: '' }, 'All videos'), ...videos.map((video) => h('option', { value: video.digest }, video.name)));
  about.value = query.get('video') ?? '';
  about.addEventListener('change', () => { location.hash = about.value ? `#/timeline?video=${about.value}` : '#/timeline'; });
  if (!videos.length) {
    return { title: 'Timeline', parts: [h('h1', {}, 'Timeline'), h('div', { class: 'empty' }, h('h2', {}, 'No video is indexed yet'), h('a', { class: 'button', href: '#/library' }, 'Choose videos'))] };
  }
  const shown = about.value ? videos.filter((video) => video.digest === about.value) : videos;
  const { placed, isKnown, marks } = onAxis(await allLines(about.value), shown);
  const canvas = h('canvas', { class: 'timeline-canvas', tabindex: 0, role: 'img', 'aria-label': 'Timeline. The list below has the same lines. Left and right move, plus and minus zoom, Home shows everything.' });
  const list = virtualList(placed);
  const chart = new Chart(canvas, placed, isKnown, marks, (item) => { list.goTo(placed.indexOf(item)); playMoment(item.line); });
  const zoom = (factor) => () => chart.zoom(factor);
  return {
    title: 'Timeline',
    parts: [
      h('div', { class: 'head' }, h('div', {}, h('h1', {}, 'Timeline'), h('p', { class: 'lead' }, `${placed.length} lines. Click one to play it.`)),
        h('div', { class: 'row' }, h('div', { class: 'field' }, h('label', { for: 'shown' }, 'Videos'), about))),
      h('div', { class: 'row', role: 'group', 'aria-label': 'Zoom' },
        h('button', { type: 'button', class: 'quiet small', onclick: zoom(0.5) }, 'Closer'),
        h('button', { type: 'button', class: 'quiet small', onclick: zoom(2) }, 'Farther'),
        h('button', { type: 'button', class: 'quiet small', onclick: () => chart.whole() }, 'Everything')),
      canvas, list.box,
    ],
    ready: () => { chart.whole(); list.draw(); },
    leave: () => chart.leave(),
  };
}

/** A list that only has the rows in sight. */
function virtualList(placed) {
  const sizer = h('div', { class: 'sizer', role: 'list' });
  const box = h('div', { class: 'lines', tabindex: 0, 'aria-label': 'Lines of the journal' }, sizer);
  sizer.style.height = `${placed.length * ROW}px`;
  let current = -1;
  let frame = 0;
  const rows = new Map();
  const draw = () => {
    frame = 0;
    const first = Math.max(0, Math.floor(box.scrollTop / ROW) - 8);
    const last = Math.min(placed.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + 8);
    for (const [number, row] of rows) {
      if (number < first || number >= last) {
        row.remove();
        rows.delete(number);
      }
    }
    for (let number = first; number < last; number += 1) {
      if (!rows.has(number)) {
        const row = rowOf(placed[number].line, number, placed.length);
        rows.set(number, row);
        sizer.append(row);
      }
      rows.get(number).classList.toggle('current', number === current);
    }
  };
  box.addEventListener('scroll', () => { frame ||= requestAnimationFrame(draw); });
  const goTo = (number) => {
    current = number;
    box.scrollTop = Math.max(0, number * ROW - box.clientHeight / 2);
    draw();
  };
  return { box, draw, goTo };
}

function rowOf(line, number, count) {
  const span = `${clock(line.start)}–${clock(line.end)}`;
  const time = line.at ? line.at.replace('T', ' ').slice(0, 19) : isOnly() ? span : `${fileName(line.video)} ${span}`;
  const row = h('div', { class: 'line', role: 'listitem', 'aria-setsize': count, 'aria-posinset': number + 1 },
    h('span', { class: 'when' }, time), h('span', { class: `sense ${line.sense}` }, line.sense, h('span', { class: 'narrow' }, ` ${clock(line.start)}`)), h('span', { class: 'text', title: line.text }, line.text),
    h('span', { class: 'row' },
      h('button', { type: 'button', class: 'quiet small', onclick: () => playMoment(line) }, ...compact('Play', '▶')),
      h('button', { type: 'button', class: 'quiet small', onclick: () => correct(line, () => { window.dispatchEvent(new Event('hashchange')); }) }, ...compact('Wrong?', '✎'))));
  row.style.transform = `translateY(${number * ROW}px)`;
  return row;
}

/** A word, which is a sign where there is little room. */
function compact(word, sign) {
  return [h('span', { class: 'wide' }, word), h('span', { class: 'narrow', 'aria-hidden': 'true' }, sign), h('span', { class: 'narrow visually-hidden' }, word)];
}

/** The lanes on a canvas. */
class Chart {
  constructor(canvas, placed, isKnown, marks, chosen) {
    Object.assign(this, { canvas, placed, isKnown, marks, chosen, pointer: null, frame: 0 });
    // a lane that no line uses needs no room
    this.lanes = LANES.filter(([name]) => placed.some((item) => item.lane === name));
    this.first = placed[0]?.from ?? 0;
    this.last = placed.reduce((last, item) => Math.max(last, item.to), this.first + 1);
    [this.from, this.to] = [this.first, this.last];
    this.longest = placed.reduce((longest, item) => Math.max(longest, item.to - item.from), 0);
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.move((event.deltaX || event.deltaY) / this.width());
      else this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.timeAt(event.offsetX));
    }, { passive: false });
    canvas.addEventListener('pointerdown', (event) => { this.pointer = { x: event.offsetX, moved: false }; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener('pointermove', (event) => {
      if (!this.pointer) return;
      const by = this.pointer.x - event.offsetX;
      if (Math.abs(by) > 3) this.pointer.moved = true;
      if (this.pointer.moved) { this.move(by / this.width()); this.pointer.x = event.offsetX; }
    });
    canvas.addEventListener('pointerup', (event) => {
      if (this.pointer && !this.pointer.moved) {
        const item = this.at(event.offsetX, event.offsetY);
        if (item) chosen(item);
      }
      this.pointer = null;
    });
    canvas.addEventListener('keydown', (event) => {
      const acts = { ArrowLeft: () => this.move(-0.2), ArrowRight: () => this.move(0.2), '+': () => this.zoom(0.5), '=': () => this.zoom(0.5), '-': () => this.zoom(2), Home: () => this.whole() };
      const act = acts[event.key];
      if (act) { event.preventDefault(); act(); say(`${this.label(this.from)} to ${this.label(this.to)}`); }
    });
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(canvas);
    this.repaint = new MutationObserver(() => this.draw());
    this.repaint.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
  }

  leave() {
    this.watch.disconnect();
    this.repaint.disconnect();
  }

  width() { return Math.max(1, this.canvas.clientWidth - LEFT); }
  timeAt(x) { return this.from + ((x - LEFT) / this.width()) * (this.to - this.from); }
  xOf(time) { return LEFT + ((time - this.from) / (this.to - this.from)) * this.width(); }

  whole() { this.show(this.first, this.last); }
  move(share) { const by = share * (this.to - this.from); this.show(this.from + by, this.to + by); }
  zoom(factor, around = (this.from + this.to) / 2) { this.show(around - (around - this.from) * factor, around + (this.to - around) * factor); }

  /** Shows a span, at least a second and at most everything with a margin. */
  show(from, to) {
    const span = Math.min(Math.max(to - from, 1), (this.last - this.first) * 1.02 + 1);
    const middle = Math.min(Math.max((from + to) / 2, this.first), this.last);
    [this.from, this.to] = [middle - span / 2, middle + span / 2];
    this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  /** The items that may be in sight. They are sorted by their start. */
  *inSight() {
    let [low, high] = [0, this.placed.length];
    const first = this.from - this.longest;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.placed[middle].from < first) low = middle + 1; else high = middle;
    }
    for (let number = low; number < this.placed.length && this.placed[number].from < this.to; number += 1) {
      if (this.placed[number].to > this.from) yield this.placed[number];
    }
  }

  at(x, y) {
    const height = (this.canvas.clientHeight - TOP) / this.lanes.length;
    const lane = this.lanes[Math.floor((y - TOP) / height)]?.[0];
    const time = this.timeAt(x);
    const near = 3 * (this.to - this.from) / this.width();
    let best = null;
    for (const item of this.inSight()) {
      if (item.lane !== lane || item.from - near > time || item.to + near < time) continue;
      if (!best || Math.abs(item.from - time) < Math.abs(best.from - time)) best = item;
    }
    return best;
  }

  label(time) {
    if (!this.isKnown) {
      const mark = this.marks.findLast((mark) => mark.from <= time) ?? this.marks[0];
      return clock(mark ? time - mark.from + mark.start : time);
    }
    const span = this.to - this.from;
    const date = new Date(time * 1000);
    const options = span > 172800 ? { weekday: 'short', day: 'numeric', month: 'short' } : span > 7200 ? { hour: '2-digit', minute: '2-digit' } : { hour: '2-digit', minute: '2-digit', second: '2-digit' };
    return date.toLocaleString(undefined, { ...options, timeZone: this.zone() });
  }

  zone() {
    const offset = /([+-]\d\d:\d\d)$/.exec(this.placed[0]?.line.at ?? '')?.[1];
    if (!offset || offset === '+00:00') return 'UTC';
    try { Intl.DateTimeFormat(undefined, { timeZone: offset }); return offset; } catch { return undefined; }
  }

  draw() {
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    if (!width || !height) return;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const paint = this.canvas.getContext('2d');
    paint.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const token = (name) => style.getPropertyValue(name).trim();
    const font = `12px ${token('--font')}`;
    paint.font = font;
    paint.textBaseline = 'middle';
    const lane = (height - TOP) / Math.max(1, this.lanes.length);
    this.ticks(paint, token, width, height);
    paint.save();
    paint.beginPath();
    paint.rect(LEFT, TOP, width - LEFT, height - TOP);
    paint.clip();
    // blocks that are narrower than a pixel are drawn once for each pixel and lane
    const drawn = new Map();
    for (const item of this.inSight()) {
      const number = this.lanes.findIndex(([name]) => name === item.lane);
      const x = this.xOf(item.from);
      const wide = Math.max(1.5, this.xOf(item.to) - x - 1);
      if (wide < 2) {
        if (drawn.get(number) === Math.round(x)) continue;
        drawn.set(number, Math.round(x));
      }
      const y = TOP + number * lane + 5;
      paint.globalAlpha = 0.22;
      paint.fillStyle = token(`--lane-${item.lane}`);
      paint.fillRect(x, y, wide, lane - 10);
      paint.globalAlpha = 1;
      paint.fillRect(x, y, Math.min(3, wide), lane - 10);
      if (wide > 34) {
        const left = Math.max(x, LEFT);
        paint.save();
        paint.beginPath();
        paint.rect(left + 6, y, Math.max(0, x + wide - left - 8), lane - 10);
        paint.clip();
        paint.fillStyle = token('--ink');
        paint.fillText(titleOf(item), left + 7, y + (lane - 10) / 2);
        paint.restore();
      }
    }
    if (this.marks.length > 1) this.borders(paint, token, height);
    paint.restore();
    paint.fillStyle = token('--ink-soft');
    paint.font = `600 ${font}`;
    this.lanes.forEach(([, name], number) => paint.fillText(name, 12, TOP + number * lane + lane / 2));
  }

  /** Where each of several videos begins, with its name. */
  borders(paint, token, height) {
    paint.fillStyle = token('--ink-soft');
    paint.strokeStyle = token('--ink-soft');
    for (const [number, mark] of this.marks.entries()) {
      const x = Math.round(this.xOf(mark.from)) + 0.5;
      const next = this.marks[number + 1];
      const room = (next ? this.xOf(next.from) : this.canvas.clientWidth) - Math.max(x, LEFT) - 8;
      paint.beginPath();
      paint.moveTo(x, TOP);
      paint.lineTo(x, height);
      paint.stroke();
      if (room > 30) paint.fillText(mark.name, Math.max(x, LEFT) + 4, height - 6, room);
    }
  }

  ticks(paint, token, width, height) {
    const steps = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800];
    const span = this.to - this.from;
    const step = steps.find((step) => (step / span) * this.width() >= 96) ?? 604800;
    paint.strokeStyle = token('--line');
    paint.fillStyle = token('--ink-soft');
    for (let time = Math.ceil(this.from / step) * step; time < this.to; time += step) {
      const x = Math.round(this.xOf(time)) + 0.5;
      if (x > width - 8) break;
      paint.beginPath();
      paint.moveTo(x, TOP - 4);
      paint.lineTo(x, height);
      paint.stroke();
      paint.fillText(this.label(time), x + 4, TOP / 2);
    }
  }
}
