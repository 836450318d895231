//! Arguments that several commands share.

use crate::{
    dialogue::{NoSpan, SPAN_USAGE, Span, is_device},
    error::Fault,
    files,
    value::StatedTime,
};
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The options of a run.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RunArgs {
    /// Use the agents of casts/NAME.yaml
    #[arg(long, value_name = "NAME")]
    pub cast: Option<String>,
    /// Device of local models: auto, cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = device)]
    pub device: String,
    /// Maximum memory of all models on a device (4GB) [default: the free memory]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory: Option<u64>,
    /// Seed of all sampling; the same seed and device give the same transcript
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Ask again for replies that the memo has, and keep the new ones
    #[arg(long)]
    pub fresh: bool,
    /// Do not use the memo, the journal or the kept vectors of labels, neither for reading nor for writing
    #[arg(long, conflicts_with = "fresh")]
    pub no_memo: bool,
    /// Stop after this time (90s, 5m, 1h30m) with exit code 5
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub deadline: Option<Duration>,
    /// Write the transcript (JSONL) to this file
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Allow videos and sounds by URL, and downloads of missing weights
    #[arg(long)]
    pub allow_network: bool,
}

/// The path of a medium. It need not be UTF-8.
pub(crate) fn medium() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().try_map(|path| files::given(&path))
}

/// An input, `name=value`. A value that is not UTF-8 must name files.
pub(crate) fn input() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().try_map(|pair| pair.into_string().or_else(|pair| named(&files::name(&pair))))
}

/// Checks an input whose invalid bytes are written as `\xff`: its value must name existing files.
fn named(pair: &str) -> Result<String, String> {
    let value = pair.split_once('=').map_or("", |(_, value)| value);
    for one in value.trim_start_matches('@').split(',').filter(|one| one.contains("\\x")) {
        let written = Path::new(one);
        let found = files::path(one);
        if !found.exists() {
            return Err(format!("`{one}` is neither UTF-8 text nor the name of a file"));
        }
        if found == written {
            return Err(format!("`{one}` is not UTF-8; rename the file"));
        }
    }
    Ok(pair.to_owned())
}

/// A valid name of a device. The device itself is checked when it is opened.
pub(crate) fn device(text: &str) -> Result<String, String> {
    is_device(text).then(|| text.to_owned()).ok_or_else(|| "expected auto, cpu, cuda:N or metal".to_owned())
}

/// A duration, in the form of dialogues.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |why: NoSpan| format!("found `{text}`, expected {}; {SPAN_USAGE}", why.expected());
    Span::parse(text.trim()).map(|span| span.0).map_err(wrong)
}

/// A duration, also in days (`30d`).
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let days = text.trim().strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    days.map_or_else(|| duration(text), |days| Ok(Duration::from_secs(u64::from(days) * 86_400)))
}

/// A date, or a date and a time of day.
pub(crate) fn stated(text: &str) -> Result<StatedTime, String> {
    StatedTime::parse(text).ok_or_else(|| "expected a date and time such as 2026-11-23T09:15".to_owned())
}

/// The instant of a stated time in a zone, in ms since 1970 (UTC). Fails for a time that the zone does not have.
pub(crate) fn instant_ms(stated: StatedTime, zone: &str) -> Result<i64, Fault> {
    let wall = stated.wall(zone, None);
    wall.map(|wall| wall.at_ms).ok_or_else(|| Fault::refused(format!("the time zone `{zone}` has no such time")))
}

/// A time zone: an IANA name or an offset.
pub(crate) fn zone(text: &str) -> Result<String, String> {
    let known = crate::value::wall::zone(text).is_some();
    known.then(|| text.to_owned()).ok_or_else(|| "expected a zone such as Europe/Berlin, UTC or +02:00".to_owned())
}

/// A part of a video: from and to, each `MM:SS` or `H:MM:SS`, in seconds.
pub(crate) fn span(text: &str) -> Result<(f64, f64), String> {
    let wrong = || format!("found `{text}`, expected two times such as 10:00-10:30 or 1:10:00-1:12:30");
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let seconds = |time: &str| {
        let parts: Option<Vec<u32>> = time.trim().split(':').map(|part| part.parse().ok()).collect();
        match parts?.as_slice() {
            [minutes, seconds] if *minutes < 100_000 && *seconds < 60 => Some(f64::from(minutes * 60 + seconds)),
            [hours, minutes, seconds] if *hours < 1000 && *minutes < 60 && *seconds < 60 => {
                Some(f64::from(hours * 3600 + minutes * 60 + seconds))
            }
            _ => None,
        }
    };
    let (from, to) = seconds(from).zip(seconds(to)).ok_or_else(wrong)?;
    if from < to { Ok((from, to)) } else { Err(format!("found `{text}`, which ends before it starts")) }
}

/// A size in bytes: a number and a unit, such as `4GB`, `500 MB` or `1.5GiB`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let unit = match text[split..].trim().to_ascii_lowercase().as_str() {
        "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => f64::NAN,
    };
    match text[..split].parse::<f64>().map(|number| number * unit) {
        Ok(bytes) if bytes.is_finite() => Ok(bytes as u64),
        _ => Err(format!("found `{text}`, expected a size; write a number and a unit: `4GB`, `500MB`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(bytes(text).ok(), expected, "{text}");
        check("4GB", Some(4_000_000_000));
        check("1.5 GiB", Some(1_610_612_736));
        check("500m", Some(500_000_000));
        check("1000b", Some(1000));
        for bad in ["", "4", "1000", "GB", "4 cows", "-1GB", "1.2.3GB", "∞"] {
            check(bad, None);
        }
    }

    #[test]
    fn ages_are_read() {
        let check = |text: &str, hours: Option<u64>| {
            assert_eq!(age(text).ok().map(|age| age.as_secs()), hours.map(|hours| hours * 3600), "{text}");
        };
        check("30d", Some(720));
        check("12h", Some(12));
        check("30", None);
        check("1.5d", None);
        check("soon", None);
    }

    #[test]
    fn spans_are_read() {
        let check = |text: &str, expected: Option<(f64, f64)>| assert_eq!(span(text).ok(), expected, "{text}");
        check("10:00-10:30", Some((600.0, 630.0)));
        check("1:10:00 - 1:12:30", Some((4200.0, 4350.0)));
        for bad in
            ["10:00", "10:30-10:00", "10:60-11:00", "a-b", "-1:00-2:00", "99999:99:00-1:00", "4294967295:00-1:00"]
        {
            check(bad, None);
        }
    }

    #[test]
    fn devices_are_named() {
        for good in ["auto", "cpu", "metal", "cuda", "cuda:0", "cuda:12"] {
            assert_eq!(device(good).as_deref(), Ok(good));
        }
        for bad in ["", "gpu", "cuda:", "cuda0", "cuda:x", "CPU"] {
            assert!(device(bad).is_err(), "{bad}");
        }
    }
}
