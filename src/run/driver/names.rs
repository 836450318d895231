//! The name of a run, and the media in its inputs.

use crate::{
    store::memo::Medium,
    value::{Moment, Value},
};
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// A unique name for a run: the dialogue, the time in ms, the process id, and a count within the process.
pub(super) fn run_name(dialogue: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{dialogue}-{}-{}-{count}", now_ms(), std::process::id())
}

/// Adds all media in a value to `found`.
pub fn named_media(value: &Value, found: &mut Vec<Medium>) {
    let mut add = |digest: &str, path: &str| {
        let medium = Medium::new(digest, path);
        if !found.contains(&medium) {
            found.push(medium);
        }
    };
    match value {
        Value::Video(media) | Value::Audio(media) => add(&media.digest, &media.path),
        Value::Image(image) => add(&image.digest, &image.path),
        Value::Moment(Moment { media, .. }) => add(&media.digest, &media.path),
        Value::List(items) => items.iter().for_each(|item| named_media(item, found)),
        Value::Record(fields) => fields.values().for_each(|field| named_media(field, found)),
        _ => {}
    }
}
