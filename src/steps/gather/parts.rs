//! The parts of a log line's text.

/// The parts of a line's text.
pub(super) struct LineParts<'a> {
    pub(super) place: &'a str,
    pub(super) activity: &'a str,
    pub(super) people: &'a str,
    pub(super) seen: &'a str,
    /// What a detector found.
    pub(super) detected: &'a str,
    /// Sounds, texts that were read, and captions, with their marks.
    pub(super) told: &'a str,
    pub(super) heard: &'a str,
}

impl<'a> LineParts<'a> {
    /// The things that were seen or detected.
    pub(super) fn things(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut all: Vec<&str> = Vec::new();
        for thing in self.seen.split(", ").chain(self.detected.split(", ")) {
            if !thing.is_empty() && !all.contains(&thing) {
                all.push(thing);
            }
        }
        all.into_iter()
    }
}

/// The marks of parts that are neither place nor activity.
const TOLD: [&str; 3] = ["Sound: ", "Text: ", "Caption: "];

/// Splits a line's text.
pub(super) fn parts(text: &str) -> LineParts<'_> {
    let (rest, heard) = text.split_once("Heard: ").unwrap_or((text, ""));
    let told = TOLD.iter().filter_map(|mark| rest.find(mark)).min().unwrap_or(rest.len());
    let (rest, told) = rest.split_at(told);
    let (rest, detected) = rest.split_once("Detected: ").unwrap_or((rest, ""));
    let (rest, seen) = rest.split_once("Seen: ").unwrap_or((rest, ""));
    let (head, people) = rest.split_once("With: ").unwrap_or((rest, ""));
    fn clean(text: &str) -> &str {
        text.trim().trim_end_matches('.')
    }
    let (place, activity) = clean(head).split_once(", ").unwrap_or((clean(head), ""));
    let (detected, told) = (clean(detected), clean(told));
    LineParts { place, activity, people: clean(people), seen: clean(seen), detected, told, heard: clean(heard) }
}

/// The speech of a line's text, with its last mark.
pub(super) fn speech(text: &str) -> &str {
    text.split_once("Heard: ").map_or("", |(_, heard)| heard.trim())
}

/// The place and the activity of a line's text.
pub(in crate::steps) fn whereabouts(text: &str) -> (String, String) {
    let LineParts { place, activity, .. } = parts(text);
    (place.to_owned(), activity.to_owned())
}
