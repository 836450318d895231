//! How a run is called, and which media it was given.

use crate::{
    store::memo::Medium,
    value::{Moment, Value},
};
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// Tells runs apart: the dialogue, the time, the process, and a count within it.
pub(super) fn run_name(dialogue: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{dialogue}-{}-{}-{count}", now_ms(), std::process::id())
}

/// All media in a value.
pub(super) fn named_media(value: &Value, found: &mut Vec<Medium>) {
    let mut note = |digest: &str, path: &str| {
        let medium = Medium::new(digest, path);
        if !found.contains(&medium) {
            found.push(medium);
        }
    };
    match value {
        Value::Video(media) | Value::Audio(media) => note(&media.digest, &media.path),
        Value::Image(image) => note(&image.digest, &image.path),
        Value::Moment(Moment { media, .. }) => note(&media.digest, &media.path),
        Value::List(items) => items.iter().for_each(|item| named_media(item, found)),
        Value::Record(fields) => fields.values().for_each(|field| named_media(field, found)),
        _ => {}
    }
}
