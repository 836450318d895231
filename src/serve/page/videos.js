// The videos of the library, which several views need.

import { get } from './dom.js';

let known = null;

/** The videos; the same list until it is `fresh`. */
export async function videos(fresh = false) {
  if (!known || fresh) known = (await get('/api/library')).videos;
  return known;
}

/** The indexed videos. */
export async function indexed(fresh = false) {
  return (await videos(fresh)).filter((video) => video.digest);
}

/** True if there is one video only, so that its name need not be told. */
export function isOnly() {
  return (known ?? []).filter((video) => video.digest).length < 2;
}

/** The presentation time of a video's first picture. */
export function originOf(digest) {
  return known?.find((video) => video.digest === digest)?.start ?? 0;
}
