//! ffprobe's description of a file: the used streams, their exact times and sizes.

use super::{
    MediaError, MediaFault,
    ffmpeg::{self, PROBE_LIMIT},
    packets::{Packet, packets},
};
use crate::{
    value::clock::DayClock,
    value::{StatedTime, Time, TimeBase},
};
use serde::Deserialize;
use std::{ffi::OsString, ops::ControlFlow, path::Path};

/// The used streams of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Probe {
    /// The default video stream, if any. Cover art does not count.
    pub picture: Option<VideoStream>,
    /// The default audio stream, if any.
    pub sound: Option<AudioStream>,
    /// ffmpeg's name of the container.
    pub container: String,
    /// First presentation time.
    pub start: Time,
    /// End of presentation, if the container states it.
    pub end: Option<Time>,
    /// Where to search for the end, in seconds. Set if the container states only a length, which may or may not count
    /// from `start` (as in Matroska).
    pub tail_s: Option<f64>,
    /// The clock that the container's comment states, if any.
    pub clock: Option<DayClock>,
    /// The time of the recording that the container states, if any.
    pub created: Option<StatedTime>,
    /// True if the first packets are encrypted.
    pub locked: bool,
    /// True if the first packets decoded to a frame of the picture.
    pub decodes: bool,
}

/// A video stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VideoStream {
    /// Its index in the file.
    pub index: u32,
    /// The ticks of its times.
    pub base: TimeBase,
    /// ffmpeg's name of the codec.
    pub codec: String,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
}

/// An audio stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AudioStream {
    /// Its index in the file.
    pub index: u32,
    /// Its first presentation time.
    pub start: Time,
}

/// The description of `path`; errors name it `shown`.
pub(crate) async fn probe(path: &Path, shown: &str) -> Result<Probe, MediaError> {
    read(&describe(path, shown).await?, shown)
}

/// ffprobe's description of `path`, as JSON; errors name it `shown`.
pub(crate) async fn describe(path: &Path, shown: &str) -> Result<Vec<u8>, MediaError> {
    // Eight decoded packets show encryption and whether a frame decodes; ffprobe drains the decoder after them.
    let mut arguments: Vec<OsString> =
        "-v error -of json -show_format -show_streams -show_packets -show_frames -read_intervals %+#8"
            .split(' ')
            .map(OsString::from)
            .collect();
    arguments.extend(ffmpeg::input(path));
    match ffmpeg::run("ffprobe", arguments, PROBE_LIMIT).await {
        Ok(said) => Ok(said.stdout),
        Err(ffmpeg::ChildError::Failed(why)) => Err(refused(shown, &why)),
        Err(trouble) => Err(trouble.about(shown)),
    }
}

/// The error for a file that ffprobe cannot open, in the user's words.
fn refused(shown: &str, why: &str) -> MediaError {
    let (fault, what) = match why {
        _ if why.contains("moov atom not found") => {
            (MediaFault::Damaged, "is truncated: the index that an MP4 keeps at its end is missing".to_owned())
        }
        _ if why.contains("End of file") => {
            (MediaFault::Damaged, "is truncated: it ends before the first frame".to_owned())
        }
        _ if why.contains("whitelist") => {
            (MediaFault::NotMedia, "is not a video or sound format that elenchus reads".to_owned())
        }
        _ if why.contains("Invalid data found") || why.contains("Invalid argument") => {
            (MediaFault::NotMedia, "is not a video or sound (ffmpeg finds no known format in it)".to_owned())
        }
        _ => (MediaFault::NotMedia, format!("cannot be opened as a video or sound: {why}")),
    };
    MediaError::new(fault, shown, what)
}

/// True if a frame of stream `index` can be decoded from the first few hundred packets.
pub(crate) async fn decodes(path: &Path, index: u32) -> Result<bool, MediaError> {
    let mut arguments: Vec<OsString> =
        "-v error -of csv=p=0 -show_entries frame=media_type -read_intervals %+#300 -select_streams"
            .split(' ')
            .map(OsString::from)
            .collect();
    arguments.push(index.to_string().into());
    arguments.extend(ffmpeg::input(path));
    let mut any = false;
    let seen = ffmpeg::lines("ffprobe", arguments, |line| {
        any |= line.starts_with("video");
        if any { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match seen.await {
        Ok(()) | Err(ffmpeg::ChildError::Failed(_)) => Ok(any),
        Err(trouble) => Err(trouble.about(&path.to_string_lossy())),
    }
}

/// The end of the last packet of the used streams: the real end of a truncated file, or of a file without a stated
/// duration. Reads the packets from `tail_s` on, or all packets if none is there.
pub(crate) async fn measured_end(
    path: &Path,
    shown: &str,
    probe: &Probe,
    tail_s: Option<f64>,
) -> Result<Option<Time>, MediaError> {
    let mut end: Option<Time> = None;
    let stretch = tail_s.map(|from| (from, f64::from(u32::MAX)));
    let streams =
        [probe.picture.as_ref().map(|p| (p.index, p.base)), probe.sound.as_ref().map(|s| (s.index, s.start.base))];
    for (index, base) in streams.into_iter().flatten() {
        let see = |packet: Packet| {
            if let Some(pts) = packet.pts.filter(|_| packet.shown) {
                end = end.max(Some(Time { ticks: pts.saturating_add(packet.duration.max(1)), base }));
            }
            ControlFlow::Continue(())
        };
        packets(path, shown, index, stretch, see).await?;
    }
    match end {
        None if tail_s.is_some() => Box::pin(measured_end(path, shown, probe, None)).await,
        end => Ok(end),
    }
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    format: RawFormat,
    #[serde(default)]
    streams: Vec<RawStream>,
    #[serde(default)]
    packets_and_frames: Vec<RawPiece>,
}
#[derive(Deserialize, Default)]
struct RawFormat {
    #[serde(default)]
    format_name: String,
    start_time: Option<String>,
    duration: Option<String>,
    #[serde(default)]
    tags: indexmap::IndexMap<String, serde_json::Value>,
}
#[derive(Deserialize)]
struct RawStream {
    index: u32,
    codec_type: Option<String>,
    codec_name: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    time_base: Option<String>,
    start_pts: Option<i64>,
    duration_ts: Option<i64>,
    #[serde(default)]
    disposition: indexmap::IndexMap<String, i64>,
    #[serde(default)]
    tags: indexmap::IndexMap<String, serde_json::Value>,
    #[serde(default)]
    side_data_list: Vec<RawSide>,
}
#[derive(Deserialize)]
struct RawSide {
    side_data_type: Option<String>,
    rotation: Option<f64>,
}
#[derive(Deserialize)]
struct RawPiece {
    r#type: String,
    stream_index: Option<u32>,
    #[serde(default)]
    side_data_list: Vec<RawSide>,
}

impl RawFormat {
    /// The clock in the comment. Containers differ in the case of tag names.
    fn clock(&self) -> Option<DayClock> {
        DayClock::parse(self.tag("comment")?)
    }

    /// The time of the recording. Apple's tag has the zone of the place; the other one is UTC.
    fn created(&self) -> Option<StatedTime> {
        let stated = |name: &str| StatedTime::parse(self.tag(name)?).filter(|stated| stated.is_plausible());
        stated("com.apple.quicktime.creationdate").or_else(|| stated("creation_time")).or_else(|| stated("date"))
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?.1.as_str()
    }
}

impl RawStream {
    fn is(&self, kind: &str) -> bool {
        let art = ["attached_pic", "still_image", "timed_thumbnails"];
        self.codec_type.as_deref() == Some(kind) && !art.iter().any(|word| self.disposition.get(*word) == Some(&1))
    }
    fn base(&self) -> Option<TimeBase> {
        let (num, den) = self.time_base.as_deref()?.split_once('/')?;
        let base = TimeBase { num: num.parse().ok()?, den: den.parse().ok()? };
        (base.num > 0 && base.den > 0).then_some(base)
    }
    fn start(&self) -> Option<Time> {
        Some(Time { ticks: self.start_pts?, base: self.base()? })
    }
    fn end(&self) -> Option<Time> {
        let length = self.duration_ts.filter(|ticks| *ticks > 0)?;
        Some(Time { ticks: self.start_pts?.checked_add(length)?, base: self.base()? })
    }
    /// True if the upright picture is a quarter turn from the stored one.
    fn lies(&self) -> bool {
        let tag = || self.tags.get("rotate")?.as_str()?.parse::<f64>().ok();
        let degrees = self.side_data_list.iter().find_map(|side| side.rotation).or_else(tag).unwrap_or(0.0);
        ((degrees.rem_euclid(180.0)) - 90.0).abs() < 1.0
    }
    fn picture(&self) -> Option<VideoStream> {
        let (width, height) = (self.width.filter(|w| *w > 0)?, self.height.filter(|h| *h > 0)?);
        let (width, height) = if self.lies() { (height, width) } else { (width, height) };
        let codec = self.codec_name.clone().unwrap_or_default();
        Some(VideoStream { index: self.index, base: self.base()?, codec, width, height })
    }
}

/// Parses ffprobe's JSON.
pub(crate) fn read(json: &[u8], shown: &str) -> Result<Probe, MediaError> {
    let raw: Raw = serde_json::from_slice(json).map_err(|e| {
        MediaError::new(MediaFault::NotMedia, shown, format!("ffprobe's description cannot be read: {e}"))
    })?;
    let default = |kind: &str| {
        let of_kind = || raw.streams.iter().filter(|stream| stream.is(kind) && stream.base().is_some());
        of_kind().find(|stream| stream.disposition.get("default") == Some(&1)).or_else(|| of_kind().next())
    };
    let (video, audio) = (default("video").filter(|v| v.picture().is_some()), default("audio"));
    let used: Vec<&RawStream> = video.into_iter().chain(audio).collect();
    let Some(first) = used.first() else {
        let art = raw.streams.iter().any(|stream| stream.codec_type.as_deref() == Some("video"));
        let what = if art { "contains only a still image" } else { "contains neither video nor sound" };
        return Err(MediaError::new(MediaFault::NotMedia, shown, what));
    };
    let zero = Time { ticks: 0, base: first.base().expect("used streams have a time base: this is a bug") };
    let micros = |text: &Option<String>| text.as_deref()?.parse::<f64>().ok().map(Time::from_seconds);
    let start =
        used.iter().filter_map(|stream| stream.start()).min().or(micros(&raw.format.start_time)).unwrap_or(zero);
    let ends: Option<Vec<Time>> = used.iter().map(|stream| stream.end()).collect();
    let length = micros(&raw.format.duration).filter(|length| length.ticks > 0);
    let counts_from_zero = start.seconds().abs() < 0.000_5;
    let of_stream = |piece: &&RawPiece| used.iter().any(|stream| Some(stream.index) == piece.stream_index);
    let encrypted = |piece: &RawPiece| {
        let says = |side: &RawSide| side.side_data_type.as_deref().is_some_and(|kind| kind.contains("Encryption"));
        piece.side_data_list.iter().any(says)
    };
    Ok(Probe {
        picture: video.and_then(RawStream::picture),
        sound: audio.map(|a| AudioStream { index: a.index, start: a.start().unwrap_or(start) }),
        clock: raw.format.clock(),
        created: raw.format.created(),
        container: raw.format.format_name,
        start,
        tail_s: length.map(|length| length.seconds() - 15.0).filter(|_| ends.is_none()),
        end: ends.and_then(|ends| ends.into_iter().max()).or(length.filter(|_| counts_from_zero)),
        locked: raw.packets_and_frames.iter().filter(of_stream).any(encrypted),
        decodes: raw.packets_and_frames.iter().any(|p| p.r#type == "frame" && p.stream_index == video.map(|v| v.index)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_streams_are_used_and_cover_art_is_not() {
        let json = br#"{"streams": [
            {"index": 0, "codec_type": "video", "codec_name": "mjpeg", "width": 9, "height": 9, "time_base": "1/90000", "disposition": {"default": 1, "attached_pic": 1}},
            {"index": 1, "codec_type": "video", "codec_name": "h264", "width": 64, "height": 48, "time_base": "1/15360", "start_pts": 512, "duration_ts": 5120, "disposition": {"default": 0}},
            {"index": 2, "codec_type": "video", "codec_name": "hevc", "width": 640, "height": 480, "time_base": "1/1000", "start_pts": -40, "duration_ts": 2000, "disposition": {"default": 1},
             "side_data_list": [{"side_data_type": "Display Matrix", "rotation": -90}]},
            {"index": 3, "codec_type": "audio", "codec_name": "aac", "time_base": "1/48000", "start_pts": 96000, "duration_ts": 48000},
            {"index": 4, "codec_type": "data", "time_base": "1/1000"}],
            "format": {"format_name": "matroska,webm", "start_time": "-0.040000", "duration": "9.5", "tags": {"COMMENT": "clock 07:00, 420 seconds a second"}}}"#;
        let probe = read(json, "a.mkv").unwrap();
        let picture = probe.picture.unwrap();
        assert_eq!((picture.index, picture.codec.as_str(), picture.width, picture.height), (2, "hevc", 480, 640));
        assert_eq!(
            probe.sound.unwrap(),
            AudioStream { index: 3, start: Time { ticks: 2, base: TimeBase { num: 1, den: 1 } } }
        );
        assert_eq!((probe.start.ticks, probe.start.base.den), (-40, 1000));
        assert_eq!((probe.end.unwrap().seconds(), probe.tail_s), (3.0, None));
        assert!(!probe.locked && !probe.decodes);
        assert_eq!(probe.clock.map(|clock| (clock.start_min, clock.pace)), Some((420, 420.0)));
    }

    #[test]
    fn a_file_without_usable_streams_is_an_error() {
        let check = |json: &[u8], expected: &str| assert_eq!(read(json, "a").unwrap_err().message, expected);
        check(b"{}", "a: contains neither video nor sound");
        check(
            br#"{"streams": [{"index": 0, "codec_type": "video", "time_base": "1/9", "width": 1, "height": 1, "disposition": {"attached_pic": 1}}]}"#,
            "a: contains only a still image",
        );
    }
}
