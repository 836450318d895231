//! Arguments that several verbs share.

use std::{path::PathBuf, time::Duration};

/// How a dialogue is run.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RunArgs {
    /// Swap all agents at once for those of casts/NAME.yaml
    #[arg(long, value_name = "NAME")]
    pub cast: Option<String>,
    /// Where local models run: auto, cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// Seeds all sampling; same seed, same device: same transcript
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Ask again what the memo already holds (and keep the new replies)
    #[arg(long)]
    pub fresh: bool,
    /// Keep no memo at all, neither read nor written
    #[arg(long, conflicts_with = "fresh")]
    pub no_memo: bool,
    /// Give up after this long (90s, 5m, 1h30m): exit code 5
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub deadline: Option<Duration>,
    /// Write the transcript (JSONL) to this file
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Let videos and sounds be URLs
    #[arg(long)]
    pub allow_network: bool,
}

/// `90s`, `1.5m`, `250ms`, `1h30m`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("`{text}` is not a time span; expected for example 90s, 5m or 1h30m");
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return Err(expected());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| expected())?;
        let letters = rest[digits..].find(|c: char| !c.is_ascii_alphabetic()).map_or(rest.len(), |n| digits + n);
        let unit = match &rest[digits..letters] {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(expected()),
        };
        seconds += number * unit;
        rest = &rest[letters..];
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| expected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_read() {
        let check = |text: &str, expected: Option<f64>| {
            assert_eq!(duration(text).ok().map(|d| d.as_secs_f64()), expected, "{text}");
        };
        check("90s", Some(90.0));
        check("250ms", Some(0.25));
        check("1h30m", Some(5400.0));
        check("2", Some(2.0));
        check("1.5m", Some(90.0));
        check("", None);
        check("soon", None);
        check("5 years", None);
        check("-1s", None);
    }
}
