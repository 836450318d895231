//! Lines in the formats of other programs: JSON Lines, CSV, subtitles (SRT, WebVTT), OpenTimelineIO and iCalendar.

use super::{
    StoredLine,
    record::{LineRecord, local},
};
use crate::value::Time;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value as Json, json};

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object a line, with everything that the journal knows.
    Jsonl,
    /// A table.
    Csv,
    /// Subtitles of one medium.
    Srt,
    /// Subtitles of one medium, for browsers.
    Vtt,
    /// Markers on one clip for each medium, for video editors.
    Otio,
    /// Events of a calendar; lines without a known time are left out.
    Ics,
}

impl ExportFormat {
    /// Every format with its name.
    pub const ALL: &[(&str, ExportFormat)] = &[
        ("jsonl", ExportFormat::Jsonl),
        ("csv", ExportFormat::Csv),
        ("srt", ExportFormat::Srt),
        ("vtt", ExportFormat::Vtt),
        ("otio", ExportFormat::Otio),
        ("ics", ExportFormat::Ics),
    ];

    /// True if the format describes a single medium.
    pub fn is_of_one_medium(self) -> bool {
        matches!(self, ExportFormat::Srt | ExportFormat::Vtt)
    }

    /// The lines in this format, with a line break at the end.
    pub fn write(self, lines: &[StoredLine]) -> String {
        match self {
            ExportFormat::Jsonl => lines.iter().map(|line| format!("{}\n", to_json(line))).collect(),
            ExportFormat::Csv => csv(lines),
            ExportFormat::Srt => subtitles(lines, "", ','),
            ExportFormat::Vtt => subtitles(lines, "WEBVTT\n\n", '.'),
            ExportFormat::Otio => format!("{:#}\n", otio(lines)),
            ExportFormat::Ics => ics(lines),
        }
    }
}

/// A line with everything that the journal knows, as JSON ([`LineRecord`]).
pub fn to_json(stored: &StoredLine) -> Json {
    serde_json::to_value(LineRecord::from(stored)).expect("a line serialises: this is a bug")
}

fn csv(lines: &[StoredLine]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // writing to memory fails for no record
    let _ = writer.write_record(["id", "video", "start", "end", "at", "until", "sense", "text", "labels", "cast"]);
    for stored in lines {
        let moment = &stored.line.moment;
        let (at, until) =
            stored.wall_ms.map_or_else(Default::default, |(at, until)| (local(stored, at), local(stored, until)));
        let labels: Vec<&str> = stored.line.labels.iter().map(|label| label.text.as_str()).collect();
        let _ = writer.write_record([
            &stored.id.to_string(),
            &moment.media.path,
            &format!("{:.3}", moment.start.seconds()),
            &format!("{:.3}", moment.end.seconds()),
            &at,
            &until,
            stored.line.sense.word(),
            &stored.line.text,
            &labels.join("; "),
            &stored.cast,
        ]);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// Subtitles. A player shows several lines of one time together. Times count from the start of the medium, as players do.
fn subtitles(lines: &[StoredLine], head: &str, point: char) -> String {
    let mut all = head.to_owned();
    for (number, stored) in lines.iter().enumerate() {
        let moment = &stored.line.moment;
        let time = |time: Time| time.seconds() - moment.media.start.seconds();
        let span = (time(moment.start), time(moment.end));
        all.push_str(&subtitle(number + 1, span, &stored.line.text, point));
    }
    all
}

/// One subtitle: its number, its start and end in seconds, and its text. `point` stands before the milliseconds: `,` in SRT and `.` in WebVTT.
pub fn subtitle(number: usize, (start, end): (f64, f64), text: &str, point: char) -> String {
    let time = |seconds: f64| {
        let ms = (seconds * 1000.0).round().max(0.0) as u64;
        let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
        format!("{hours:02}:{minutes:02}:{:02}{point}{:03}", ms / 1000 % 60, ms % 1000)
    };
    // an empty line would end the entry, and an arrow would look like its times
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace("-->", "→");
    let text = if point == '.' { text.replace('&', "&amp;").replace('<', "&lt;") } else { text };
    format!("{number}\n{} --> {}\n{text}\n\n", time(start), time(end))
}

/// A timeline with a clip for each medium, and a marker for each line.
fn otio(lines: &[StoredLine]) -> Json {
    const RATE: f64 = 1000.0;
    let time =
        |seconds: f64| json!({ "OTIO_SCHEMA": "RationalTime.1", "rate": RATE, "value": (seconds * RATE).round() });
    let range = |start: f64, length: f64| json!({ "OTIO_SCHEMA": "TimeRange.1", "start_time": time(start), "duration": time(length) });
    let mut digests: Vec<&str> = Vec::new();
    for stored in lines {
        let digest = stored.line.moment.media.digest.as_str();
        if !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    let clip = |digest: &&str| {
        let own: Vec<&StoredLine> = lines.iter().filter(|stored| stored.line.moment.media.digest == **digest).collect();
        let media = &own.first()?.line.moment.media;
        let (start, length) = (media.start.seconds(), media.end.seconds() - media.start.seconds());
        let marker = |stored: &&StoredLine| {
            let (line, moment) = (&stored.line, &stored.line.moment);
            json!({
                "OTIO_SCHEMA": "Marker.2",
                "name": line.text,
                "color": "GREEN",
                "marked_range": range(moment.start.seconds(), moment.end.seconds() - moment.start.seconds()),
                "metadata": { "elenchus": to_json(stored) },
            })
        };
        let reference = json!({
            "OTIO_SCHEMA": "ExternalReference.1",
            "target_url": media.path,
            "available_range": range(start, length),
            "metadata": {},
        });
        Some(json!({
            "OTIO_SCHEMA": "Clip.2",
            "name": media.path,
            "source_range": range(start, length),
            "media_references": { "DEFAULT_MEDIA": reference },
            "active_media_reference_key": "DEFAULT_MEDIA",
            "markers": own.iter().map(marker).collect::<Vec<_>>(),
            "effects": [],
            "enabled": true,
            "metadata": {},
        }))
    };
    let clips: Vec<Json> = digests.iter().filter_map(clip).collect();
    let track = json!({
        "OTIO_SCHEMA": "Track.1", "name": "journal", "kind": "Video", "children": clips, "source_range": null,
        "markers": [], "effects": [], "enabled": true, "metadata": {},
    });
    let stack = json!({
        "OTIO_SCHEMA": "Stack.1", "name": "tracks", "children": [track], "source_range": null,
        "markers": [], "effects": [], "enabled": true, "metadata": {},
    });
    json!({ "OTIO_SCHEMA": "Timeline.1", "name": "elenchus journal", "global_start_time": null, "tracks": stack, "metadata": {} })
}

/// A calendar (RFC 5545).
fn ics(lines: &[StoredLine]) -> String {
    let stamp = |at_ms: i64| {
        let instant = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        instant.to_zoned_datetime(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
    };
    let escaped = |text: &str| {
        let text = text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let mut all = Vec::from(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//elenchus//journal//EN"].map(str::to_owned));
    for stored in lines {
        let Some((at, until)) = stored.wall_ms else { continue };
        let line = &stored.line;
        all.extend([
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}-{}@elenchus", line.moment.media.digest.get(..16).unwrap_or_default(), stored.id),
            format!("DTSTAMP:{}", stamp(at)),
            format!("DTSTART:{}", stamp(at)),
            format!("DTEND:{}", stamp(until)),
            format!("SUMMARY:{}", escaped(&line.text)),
            format!("CATEGORIES:{}", line.sense),
            format!("DESCRIPTION:{}", escaped(&line.moment.media.path)),
            "END:VEVENT".to_owned(),
        ]);
    }
    all.push("END:VCALENDAR".to_owned());
    all.iter().map(|line| folded(line)).collect()
}

/// A content line, folded at 75 bytes.
fn folded(line: &str) -> String {
    const LENGTH: usize = 73;
    let (mut all, mut width) = (String::with_capacity(line.len() + 2), 0);
    for letter in line.chars() {
        if width + letter.len_utf8() > LENGTH {
            all.push_str("\r\n ");
            width = 1;
        }
        all.push(letter);
        width += letter.len_utf8();
    }
    all + "\r\n"
}
