//! Sound with any start time: files made by ffmpeg, compared sample by sample with Whisper's loader.

use super::*;
use crate::{
    media::{
        MediaLimits, MediaStore,
        tests::{make, open_path},
    },
    value::{Media, Time, TimeBase},
};
use std::{path::PathBuf, sync::Arc};
use tempfile::TempDir;

const RATE_HZ: u32 = 16_000;
/// A rising tone, in which no two stretches are alike.
const CHIRP: &str = "0.7*sin(2*PI*(200*t+40*t*t))";

fn at(seconds: f64) -> Time {
    Time::from_seconds(seconds)
}

/// The samples that Whisper's loader reads from a file. It ignores time stamps: `ffmpeg -i FILE -f s16le -ac 1 -ar
/// 16000`.
fn loaded(folder: &TempDir, file: &str) -> Vec<f32> {
    let raw = make(folder, &format!("{file}.raw"), &format!("-i {file} -map 0:a -f s16le -ac 1 -ar {RATE_HZ} OUT"));
    let bytes = std::fs::read(raw).unwrap();
    bytes.chunks_exact(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32768.0).collect()
}

/// All samples from second `from` on, to a second after the end.
async fn heard(media: &Arc<Media>, from: f64) -> Vec<f32> {
    let store = MediaStore::new(MediaLimits::default());
    store.samples(media, at(from), at(media.end.seconds() + 1.0), RATE_HZ).await.unwrap()
}

/// Asserts that `heard` is `expected` from position `first` on, and silence elsewhere. One step is the rounding to 16
/// bits.
fn compare(name: &str, heard: &[f32], first: i64, expected: &[f32]) {
    let first = usize::try_from(first).unwrap();
    assert!(
        heard.len() >= first + expected.len(),
        "{name}: {} samples, expected {first} + {}",
        heard.len(),
        expected.len()
    );
    let known = |i: usize| if i < first { 0.0 } else { expected.get(i - first).copied().unwrap_or(0.0) };
    let wrong: Vec<usize> = (0..heard.len()).filter(|i| (heard[*i] - known(*i)).abs() > 1.5 / 32768.0).collect();
    assert_eq!(wrong.first(), None, "{name}: {} of {} samples are wrong", wrong.len(), heard.len());
}

#[tokio::test]
async fn a_long_sound_is_decoded_once_for_each_rate() {
    // low rates, because tests are not optimised
    const RATE_HZ: u32 = 2000;
    const WINDOW: usize = 30 * RATE_HZ as usize;
    let folder = TempDir::new().unwrap();
    // with a gap of seven minutes in it
    let sound = "-f lavfi -i aevalsrc='0.7*sin(2*PI*(200*t+0.05*t*t))':s=8000:d=700 \
                 -af asetpts='PTS+if(gt(T,400),420,0)/TB' -c:a flac OUT";
    let media = open_path(&make(&folder, "a.mkv", sound)).await.unwrap();
    assert!((media.end.seconds() - 1120.0).abs() < 1.0, "{:?}", media.end);
    let sounds = folder.path().join("sounds");
    let windows = async |store: &MediaStore, rate_hz: u32, from: usize| {
        let mut all = Vec::new();
        for from in (from..1120 * rate_hz as usize).step_by(WINDOW) {
            all.extend(store.window(&media, at(0.0), from..from + WINDOW, rate_hz).await.unwrap());
        }
        all
    };
    let store = MediaStore::new(MediaLimits::default()).with_sounds(sounds.clone());
    let first = windows(&store, RATE_HZ, 0).await;
    assert!(first[410 * RATE_HZ as usize..810 * RATE_HZ as usize].iter().all(|sample| *sample == 0.0));
    assert!(first[900 * RATE_HZ as usize..][..100].iter().any(|sample| *sample != 0.0));
    assert_eq!(windows(&store, RATE_HZ, 0).await, first);
    assert_eq!(store.started(&media), 1);
    // a reader at another rate does not end the first decoding
    let other = windows(&store, 1000, 0).await;
    assert_eq!(windows(&store, RATE_HZ, 7).await[..first.len() - 7], first[7..]);
    assert_eq!(windows(&store, 1000, 0).await, other);
    assert_eq!(store.started(&media), 2);
    assert_eq!(std::fs::read_dir(&sounds).unwrap().count(), 0, "its files have no name");

    // without a folder the same samples take a second decoding
    let store = MediaStore::new(MediaLimits::default());
    assert_eq!(windows(&store, RATE_HZ, 0).await, first);
    assert_eq!(windows(&store, RATE_HZ, 0).await, first);
    assert_eq!(store.started(&media), 2);
}

#[test]
fn samples_keep_their_positions() {
    let mut track = Track { since: i64::MIN, from: 0, kept: VecDeque::new(), max: 6 };
    let known = |track: &Track| {
        let mut samples = [0.0; 12];
        track.copy(i64::MIN, &mut samples, -2);
        samples.map(|s| (s * 32768.0) as i64)
    };
    let spool = &mut Spool::Empty(None);
    track.put(0, [1, 2].into_iter(), spool);
    track.put(1, [3].into_iter(), spool); // rounding
    assert_eq!(known(&track), [0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0]);
    track.put(6, [4].into_iter(), spool); // a gap
    track.put(3, [9, 9, 9, 9, 5].into_iter(), spool); // an overlap
    assert_eq!(known(&track), [0, 0, 1, 2, 3, 0, 0, 0, 4, 5, 0, 0]);
    track.trim(spool);
    assert_eq!((known(&track), track.since), ([0, 0, 0, 0, 3, 0, 0, 0, 4, 5, 0, 0], 2));
    track.put(1000, [6].into_iter(), spool); // a gap longer than the kept samples
    assert_eq!((track.since, track.from, track.end()), (8, 1000, 1001));
}

/// Tests of more than 10 s. `make quick` skips them.
mod slow {
    use super::*;

    #[tokio::test]
    async fn any_start_offset_gives_the_same_samples() {
        const OFFSETS: [f64; 5] = [0.0, 0.5, 5.0, 60.0, 600.0];
        let folder = TempDir::new().unwrap();
        let containers = [
            ("ts", "-c:a aac -b:a 32k -muxdelay 0 -muxpreload 0"),
            ("mts", "-c:a aac -b:a 32k -muxdelay 0 -muxpreload 0 -mpegts_m2ts_mode 1"),
            ("mkv", "-c:a flac"),
            ("mp4", "-c:a aac -b:a 32k"),
        ];
        for rate in [8000_i64, 22050, 44100, 48000] {
            let wav = format!("a{rate}.wav");
            make(&folder, &wav, &format!("-f lavfi -i aevalsrc='{CHIRP}':s={rate}:d=1 -c:a pcm_s16le OUT"));
            let name = |offset: f64, ending: &str| format!("{rate}-{offset}.{ending}");
            let output = |(ending, codec): &(&str, &str), offset: f64| {
                format!("{codec} -output_ts_offset {offset} {}", name(offset, ending))
            };
            let outputs: Vec<String> =
                containers.iter().flat_map(|to| OFFSETS.map(|offset| output(to, offset))).collect();
            make(&folder, &format!("{rate}.aac"), &format!("-i {wav} {} -c:a aac -b:a 32k OUT", outputs.join(" ")));
            let (flac, aac) = (loaded(&folder, &wav), loaded(&folder, &format!("{rate}.aac")));
            for (ending, _) in containers {
                for offset in OFFSETS {
                    let name = name(offset, ending);
                    let media = open_path(&folder.path().join(&name)).await.unwrap();
                    let from = offset - 0.25;
                    let shift = (from * f64::from(RATE_HZ)) as i64;
                    // The AAC encoder puts a frame of 1024 samples before the first sample, with an earlier time. MP4
                    // and Matroska round that time to milliseconds.
                    let primed = if ending == "mkv" { 0.0 } else { 1024.0 / rate as f64 };
                    let expected = if ending == "mkv" { &flac } else { &aac };
                    let first = media.start.on_grid(RATE_HZ) - shift;
                    if offset > 0.0 {
                        assert!((media.start.seconds() - offset + primed).abs() < 1.01e-3, "{name}: {:?}", media.start);
                        compare(&name, &heard(&media, from).await, first, expected);
                    } else {
                        // no time is before 0, so the stream begins there, and MP4 hides the frame in front
                        assert_eq!(media.start.seconds(), 0.0, "{name}");
                        compare(&name, &heard(&media, from).await, first, &loaded(&folder, &name));
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn gaps_are_silence_of_their_length() {
    let folder = TempDir::new().unwrap();
    for (rate, hole) in [(48000, 0.01), (44100, 0.5), (8000, 29.9), (48000, 31.25), (22050, 20_000.0)] {
        make(&folder, "a.wav", &format!("-f lavfi -i aevalsrc='{CHIRP}':s={rate}:d=2 -c:a pcm_s16le OUT"));
        // frames of 20 ms; those after the first second come later
        let late = format!("-af asetnsamples={},asetpts='PTS+if(gte(T,1),{hole}*SR,0)'", rate / 50);
        let media = open_path(&make(&folder, "a.mkv", &format!("-i a.wav {late} -c:a pcm_s16le OUT"))).await.unwrap();
        let name = format!("{rate}, {hole}");
        assert!((media.end.seconds() - 2.0 - hole).abs() < 0.02, "{name}: {:?}", media.end);
        let half = |from: u32| {
            let cut =
                format!("-af atrim=start_sample={}:end_sample={},asetpts=PTS-STARTPTS", from * rate, (from + 1) * rate);
            make(&folder, "half.wav", &format!("-i a.wav {cut} -c:a pcm_s16le OUT"));
            loaded(&folder, "half.wav")
        };
        // resampling blends a sample with its neighbours, so the first and last milliseconds are not compared
        let inner = |samples: &[f32]| samples[64..samples.len() - 64].to_vec();
        let (one, two) = (half(0), half(1));
        let before = heard_from(&media, 0.0, 1.0).await;
        assert_eq!(differing(&inner(&before), &inner(&one)), 0, "{name}");
        let after = heard_from(&media, 1.0 + hole, 2.0 + hole).await;
        assert_eq!(differing(&inner(&after), &inner(&two)), 0, "{name}");
        let silence = heard_from(&media, 1.002, 0.998 + hole).await;
        assert!(silence.iter().all(|sample| *sample == 0.0), "{name}");
    }
}

async fn heard_from(media: &Arc<Media>, from: f64, to: f64) -> Vec<f32> {
    MediaStore::new(MediaLimits::default()).samples(media, at(from), at(to), RATE_HZ).await.unwrap()
}

/// The number of samples that differ by more than rounding.
fn differing(one: &[f32], two: &[f32]) -> usize {
    assert_eq!(one.len(), two.len());
    one.iter().zip(two).filter(|(a, b)| (*a - *b).abs() > 2.5 / 32768.0).count()
}

#[tokio::test]
async fn a_stream_that_changes_its_rate_stays_synchronous() {
    let folder = TempDir::new().unwrap();
    let part = |name: &str, rate: u32, channels: u32, offset: f64| -> PathBuf {
        make(&folder, "a.wav", &format!("-f lavfi -i aevalsrc='{CHIRP}':s={rate}:d=1 -c:a pcm_s16le OUT"));
        let options = format!("-c:a aac -muxdelay 0 -muxpreload 0 -output_ts_offset {offset}");
        make(&folder, name, &format!("-i a.wav -ac {channels} {options} OUT"))
    };
    let (one, two) = (part("one.ts", 48000, 1, 60.0), part("two.ts", 44100, 2, 63.5));
    let both = [std::fs::read(one).unwrap(), std::fs::read(two).unwrap()].concat();
    std::fs::write(folder.path().join("both.ts"), both).unwrap();
    let media = open_path(&folder.path().join("both.ts")).await.unwrap();
    let heard = heard_from(&media, 59.0, 65.0).await;
    // the start of each chirp: the lowest tone crosses zero upwards once in 5 ms, with a growing amplitude
    let loud = |from: f64, to: f64| {
        let part = &heard[((from - 59.0) * 16e3) as usize..((to - 59.0) * 16e3) as usize];
        (part.iter().map(|s| s * s).sum::<f32>() / part.len() as f32).sqrt()
    };
    assert!(loud(59.0, 59.95) < 1e-3 && loud(61.1, 63.4) < 1e-3, "{} {}", loud(59.0, 59.95), loud(61.1, 63.4));
    assert!(loud(60.05, 60.95) > 0.4 && loud(63.55, 64.45) > 0.3, "{} {}", loud(60.05, 60.95), loud(63.55, 64.45));
    in_step(&heard[16000..], 60.0);
    in_step(&heard[72000..], 63.5);
}

/// Asserts that the chirp begins with the first of `samples`, to a tenth of a millisecond.
fn in_step(samples: &[f32], name: f64) {
    let chirp = |t: f32| 0.7 * (std::f32::consts::TAU * (200.0 * t + 40.0 * t * t)).sin();
    let against = |shift: i64| -> f32 {
        (3200..12800).map(|i| samples[(i + shift) as usize] * chirp(i as f32 / RATE_HZ as f32)).sum()
    };
    let best = (-400..=400).max_by(|a, b| against(*a).total_cmp(&against(*b)));
    assert!(best.is_some_and(|shift| shift.abs() <= 1), "{name}: {best:?}");
}

#[tokio::test]
async fn edit_lists_and_negative_times_are_respected() {
    let folder = TempDir::new().unwrap();
    for rate in [22050, 44100, 48000] {
        make(&folder, "a.wav", &format!("-f lavfi -i aevalsrc='{CHIRP}':s={rate}:d=3 -c:a pcm_s16le OUT"));
        make(&folder, "a.m4a", "-i a.wav -c:a aac -b:a 96k OUT");
        let whole = open_path(&folder.path().join("a.m4a")).await.unwrap();
        in_step(&heard(&whole, 0.0).await, 0.0);
        // cut without re-encoding: an edit list hides the part before the cut
        let cut = open_path(&make(&folder, "cut.m4a", "-ss 1.3 -i a.m4a -c copy OUT")).await.unwrap();
        let (all, rest) = (heard(&whole, 1.3).await, heard(&cut, 0.0).await);
        assert_eq!(differing(&all[800..20000], &rest[800..20000]), 0, "{rate}");
        let early = "-i a.wav -c:a flac -output_ts_offset -0.75 -avoid_negative_ts disabled OUT";
        let early = open_path(&make(&folder, "early.mkv", early)).await.unwrap();
        assert!((early.start.seconds() + 0.75).abs() < 0.005, "{rate}: {:?}", early.start);
        let first = early.start.on_grid(RATE_HZ) + i64::from(RATE_HZ);
        compare("early.mkv", &heard(&early, -1.0).await, first, &loaded(&folder, "a.wav"));
    }
    // An Opus decoder drops 6.5 ms before the first time, and both containers round to milliseconds.
    make(&folder, "a.wav", &format!("-f lavfi -i aevalsrc='{CHIRP}':s=48000:d=3 -c:a pcm_s16le OUT"));
    for (name, options) in [("a.webm", ""), ("b.mkv", "-output_ts_offset 7")] {
        let opus = open_path(&make(&folder, name, &format!("-i a.wav -c:a libopus {options} OUT"))).await.unwrap();
        in_step(&heard(&opus, opus.start.seconds() + 0.007).await, opus.start.seconds());
    }
}

#[tokio::test]
async fn adjacent_windows_give_the_whole_sound() {
    let folder = TempDir::new().unwrap();
    make(&folder, "a.wav", &format!("-f lavfi -i aevalsrc='{CHIRP}':s=44100:d=2 -c:a pcm_s16le OUT"));
    let media = open_path(&make(&folder, "a.mkv", "-i a.wav -c:a flac -output_ts_offset 600 OUT")).await.unwrap();
    // 2/12800 s are two and a half samples
    let start = Time { ticks: 600 * 12800 + 2, base: TimeBase { num: 1, den: 12800 } };
    let store = MediaStore::new(MediaLimits::default());
    let whole = store.samples(&media, start, media.end, RATE_HZ).await.unwrap();
    let mut windows = Vec::new();
    for from in (0..30_000).step_by(7_001) {
        let range = from..(from + 7_001).min(30_000);
        windows.extend(store.window(&media, start, range, RATE_HZ).await.unwrap());
    }
    assert_eq!(windows, whole[..30_000]);
    assert_eq!(whole[..30_000], loaded(&folder, "a.wav")[3..30_003]);
}
