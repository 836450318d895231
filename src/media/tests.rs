//! The whole of `media`: ffmpeg makes clips in which each frame shows its own number, and the tests open, sample and
//! decode them.

use super::*;
use crate::{
    exchange::Sampling,
    value::{Media, Moment, Time, TimeBase},
};
use image::RgbImage;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};
use tempfile::TempDir;

/// A source of frames of 96×32 pixels. The upper half shows the frame's number in twelve black or white columns; the
/// lower half is grey.
fn numbered(fps: &str, seconds: u32) -> String {
    let bits = "geq=lum='if(lt(Y,16),if(mod(floor(N/pow(2,floor(X/8))),2),235,16),128)':cb=128:cr=128";
    format!("-f lavfi -i color=c=black:s=96x32:r={fps}:d={seconds},format=yuv420p,{bits}")
}

/// The number that an upright frame shows.
fn number(image: &RgbImage) -> u32 {
    assert_eq!(image.dimensions(), (96, 32));
    (0..12).filter(|bit| image.get_pixel(bit * 8 + 4, 8)[0] > 128).map(|bit| 1 << bit).sum()
}

/// Runs ffmpeg in `folder`. `arguments` are split at spaces; `OUT` is the file.
pub(super) fn make(folder: &TempDir, name: &str, arguments: &str) -> PathBuf {
    let out = folder.path().join(name);
    let words = arguments.split_whitespace().map(|word| if word == "OUT" { out.to_str().unwrap() } else { word });
    let made =
        Command::new("ffmpeg").args(["-v", "error", "-nostdin", "-y"]).args(words).current_dir(folder.path()).output();
    let made = made.expect("the tests of media need ffmpeg");
    assert!(made.status.success(), "{name}: {}", String::from_utf8_lossy(&made.stderr));
    out
}

pub(super) async fn open_path(path: &Path) -> Result<Arc<Media>, MediaError> {
    open(path.to_str().unwrap(), &Access::default()).await
}

const X264: &str = "-c:v libx264 -preset ultrafast -bf 2 -g 50 -crf 12";

/// Opens, samples and decodes a clip. Returns `(start in seconds, number)` of each moment.
async fn shown(path: &Path, sampling: Sampling) -> Vec<(f64, u32)> {
    let media = open_path(path).await.unwrap();
    let store = MediaStore::new(MediaLimits::default());
    let moments = store.sample(&media, &sampling, None).await.unwrap();
    in_order(&moments, &media);
    let mut seen = Vec::new();
    for moment in &moments {
        seen.push(((moment.start.seconds() * 1e4).round() / 1e4, number(&store.frame(moment).await.unwrap())));
    }
    seen
}

/// Asserts that moments touch each other, go forward and end with the medium.
fn in_order(moments: &[Moment], media: &Arc<Media>) {
    assert!(moments.iter().all(|m| m.start < m.end));
    assert!(moments.windows(2).all(|two| two[0].end == two[1].start));
    assert!(moments.last().unwrap().end >= media.end);
}

#[tokio::test]
async fn sampling_selects_the_right_frames() {
    let folder = TempDir::new().unwrap();
    let clip = make(&folder, "a.mp4", &format!("{} {X264} OUT", numbered("25", 8)));
    assert_eq!(shown(&clip, Sampling::Every(2.0)).await, [(0.0, 0), (2.0, 50), (4.0, 100), (6.0, 150)]);
    assert_eq!(shown(&clip, Sampling::Keyframes).await, [(0.0, 0), (2.0, 50), (4.0, 100), (6.0, 150)]);
    let seen = shown(&clip, Sampling::Every(0.3)).await;
    assert_eq!(seen[..4], [(0.0, 0), (0.32, 8), (0.6, 15), (0.92, 23)]);
    assert_eq!(seen.len(), 27);
    let times = Sampling::Times(vec![7.99, 0.1, 3.3333, 0.119]);
    assert_eq!(shown(&clip, times).await, [(0.08, 2), (3.32, 83), (7.96, 199)]);
    let every = shown(&clip, Sampling::Every(0.001)).await;
    assert_eq!(every, (0..200).map(|n| (f64::from(n) / 25.0, n)).collect::<Vec<_>>());
}

#[tokio::test]
async fn invalid_sampling_is_refused() {
    let folder = TempDir::new().unwrap();
    let media = open_path(&make(&folder, "a.mp4", &format!("{} {X264} OUT", numbered("25", 1)))).await.unwrap();
    for (sampling, expected) in [
        (Sampling::Times(vec![0.5, 61.0]), "has no frame at 00:01:01.000: it ends at 00:00:01.000"),
        (Sampling::Every(0.0), "cannot be sampled every 0 s"),
        (Sampling::Every(f64::NAN), "cannot be sampled every NaN s"),
        (Sampling::Scenes(7.0), "found scene threshold 7, expected 0 to 1"),
    ] {
        let error = sample(&media, &sampling).await.unwrap_err();
        assert_eq!(error.message, format!("{}: {expected}", media.path));
        assert_eq!(error.kind, MediaFault::NotInIt);
    }
}

#[tokio::test]
async fn containers_keep_their_own_time() {
    let folder = TempDir::new().unwrap();
    let check = async |name: &str, arguments: &str, start: f64, base: (u32, u32)| {
        let clip = make(&folder, name, &format!("{} {arguments} OUT", numbered("25", 6)));
        let media = open_path(&clip).await.unwrap();
        assert!((media.start.seconds() - start).abs() < 1e-6, "{name}: {:?}", media.start);
        assert!((media.end.seconds() - start - 6.0).abs() < 0.05, "{name}: {:?}", media.end);
        let store = MediaStore::new(MediaLimits::default());
        let moments = store.sample(&media, &Sampling::Every(1.0), None).await.unwrap();
        in_order(&moments, &media);
        assert_eq!(moments[0].start.base, TimeBase { num: base.0, den: base.1 }, "{name}");
        // the last one first: the decoder has to go back
        for (n, moment) in [(5, &moments[5])].into_iter().chain(moments.iter().enumerate()) {
            let since = moment.start.seconds() - moments[0].start.seconds();
            assert!((since - n as f64).abs() < 0.021, "{name}: {:?}", moment.start);
            assert_eq!(number(&store.frame(moment).await.unwrap()), n as u32 * 25, "{name}");
        }
        assert_eq!(moments.len(), 6, "{name}");
    };
    check("a.ts", X264, 1.48, (1, 90000)).await;
    check("b.mkv", &format!("{X264} -output_ts_offset 3.5"), 3.5, (1, 1000)).await;
    check("c.mp4", &format!("{X264} -output_ts_offset 700 -video_track_timescale 30000"), 700.0, (1, 30000)).await;
    check("d.avi", "-c:v mpeg4 -bf 2 -g 50 -q:v 2", 0.0, (1, 25)).await;
    check("e.webm", "-c:v libvpx -auto-alt-ref 1 -lag-in-frames 8 -g 50 -b:v 1M -deadline realtime", 0.0, (1, 1000))
        .await;
    check("f.webm", "-c:v libvpx-vp9 -g 50 -b:v 1M -deadline realtime -cpu-used 8", 0.0, (1, 1000)).await;
    check("g.mkv", "-c:v libx264 -preset ultrafast -crf 12 -pix_fmt yuv422p10le", 0.0, (1, 1000)).await;
    check("h.ts", "-c:v mpeg2video -flags +ilme+ildct -q:v 2 -g 25 -bf 2", 1.44, (1, 90000)).await;
    check("i.mp4", &format!("{X264} -movflags frag_keyframe+empty_moov"), 0.08, (1, 12800)).await;
}

#[tokio::test]
async fn a_variable_frame_rate_keeps_exact_times() {
    let folder = TempDir::new().unwrap();
    // repeatedly ten frames at 25 fps, then a second without frames
    let arguments = format!("{},setpts=PTS+floor(N/10)/TB -fps_mode passthrough {X264} OUT", numbered("25", 4));
    let clip = make(&folder, "a.mkv", &arguments);
    let time = |n: u32| (f64::from(n * 4 + n / 10 * 100) / 100.0, n);
    assert_eq!(shown(&clip, Sampling::Every(0.001)).await, (0..100).map(time).collect::<Vec<_>>());
    // 1 s: frame 10 (1.4 s); 2 s: frame 20 (2.8 s); 3 s: frame 25 (3.0 s) …
    assert_eq!(shown(&clip, Sampling::Every(1.0)).await[..4], [time(0), time(10), time(20), time(25)]);
    assert_eq!(shown(&clip, Sampling::Times(vec![1.3, 2.0])).await, [time(9), time(19)]);
}

#[tokio::test]
async fn frames_hidden_by_an_edit_list_are_not_shown() {
    let folder = TempDir::new().unwrap();
    make(&folder, "a.mp4", &format!("{} {X264} OUT", numbered("25", 8)));
    let cut = make(&folder, "cut.mp4", "-ss 3.2 -i a.mp4 -c copy OUT");
    let seen = shown(&cut, Sampling::Every(1.0)).await;
    assert_eq!(seen, [(0.0, 80), (1.0, 105), (2.0, 130), (3.0, 155), (4.0, 180)]);
}

#[tokio::test]
async fn frames_are_upright() {
    let folder = TempDir::new().unwrap();
    make(&folder, "a.mp4", &format!("{} {X264} OUT", numbered("25", 2)));
    let new = tools()
        .await
        .unwrap()
        .version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .is_none_or(|major: u32| major >= 6);
    let turned = match new {
        true => "-display_rotation 90 -i a.mp4 -c copy OUT",
        false => "-i a.mp4 -c copy -metadata:s:v:0 rotate=90 OUT",
    };
    let media = open_path(&make(&folder, "turned.mp4", turned)).await.unwrap();
    let store = MediaStore::new(MediaLimits::default());
    let moments = store.sample(&media, &Sampling::Times(vec![1.0]), None).await.unwrap();
    let frame = store.frame(&moments[0]).await.unwrap();
    assert_eq!(frame.dimensions(), (32, 96));
    // turned to the left: the columns are rows, from the bottom up, in the left half
    let bits =
        (0..12u32).filter(|bit| frame.get_pixel(8, 95 - (bit * 8 + 4))[0] > 128).map(|bit| 1 << bit).sum::<u32>();
    assert_eq!(bits, 25);
}

#[tokio::test]
async fn the_default_stream_is_used_and_cover_art_is_not() {
    let folder = TempDir::new().unwrap();
    let black = "-f lavfi -i color=c=black:s=640x480:d=2:r=25";
    let two = format!(
        "{black} {} -map 0:v -map 1:v -disposition:v:0 0 -disposition:v:1 default {X264} OUT",
        numbered("25", 2)
    );
    assert_eq!(shown(&make(&folder, "two.mkv", &two), Sampling::Every(1.0)).await, [(0.0, 0), (1.0, 25)]);
    make(&folder, "cover.png", "-f lavfi -i color=red:s=32x32 -frames:v 1 OUT");
    let art = "-f lavfi -i sine=d=1 -i cover.png -map 0 -map 1 -c:v copy -disposition:v attached_pic OUT";
    let song = open_path(&make(&folder, "song.mp3", art)).await.unwrap();
    assert!(song.has_audio && !song.has_video);
    let error = sample(&song, &Sampling::Every(1.0)).await.unwrap_err();
    assert!(error.message.ends_with("song.mp3: has no video stream"), "{error}");
}

#[tokio::test]
async fn scenes_begin_where_the_picture_changes() {
    let folder = TempDir::new().unwrap();
    let arguments = "-f lavfi -i testsrc=s=96x32:d=2:r=25 -f lavfi -i color=c=blue:s=96x32:d=1:r=25 -f lavfi -i mandelbrot=s=96x32:r=25 \
        -filter_complex [0:v][1:v][2:v]concat=n=3 -t 4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p OUT";
    let media = open_path(&make(&folder, "a.mp4", arguments)).await.unwrap();
    let moments = sample(&media, &Sampling::Scenes(0.3)).await.unwrap();
    in_order(&moments, &media);
    assert_eq!(moments.iter().map(|m| m.start.seconds()).collect::<Vec<_>>(), [0.0, 2.0, 3.0]);
}

#[tokio::test]
async fn frames_requested_together_are_decoded_in_one_pass() {
    let folder = TempDir::new().unwrap();
    let clip = make(&folder, "a.mp4", &format!("{} {X264} OUT", numbered("25", 20)));
    let media = open_path(&clip).await.unwrap();
    // room for one frame only, so that the requests cannot rely on the cache
    let store = Arc::new(MediaStore::new(MediaLimits { cache_bytes: 10_000, ..MediaLimits::default() }));
    let moments = store.sample(&media, &Sampling::Every(0.5), None).await.unwrap();
    let mut asked: Vec<usize> = (0..moments.len()).chain(0..moments.len()).collect();
    asked.sort_by_key(|n| n * 7919 % 31);
    let asking: Vec<_> = asked
        .into_iter()
        .map(|n| {
            let (store, moment) = (store.clone(), moments[n].clone());
            tokio::spawn(async move { (n, number(&store.frame(&moment).await.unwrap())) })
        })
        .collect();
    for one in asking {
        let (n, number) = one.await.unwrap();
        assert_eq!(number, (n as f64 * 12.5).ceil() as u32);
    }
    assert!(store.started(&media) <= 2, "{} decoders", store.started(&media));
}

#[tokio::test]
async fn a_decoder_continues_from_its_position() {
    let folder = TempDir::new().unwrap();
    let clip = make(&folder, "a.mp4", &format!("{} {X264} OUT", numbered("25", 20)));
    let media = open_path(&clip).await.unwrap();
    let moments = sample(&media, &Sampling::Every(0.5)).await.unwrap();
    let store = MediaStore::new(MediaLimits { cache_bytes: 10_000, ..MediaLimits::default() });
    for moment in &moments {
        store.frame(moment).await.unwrap();
    }
    assert_eq!(store.started(&media), 1);
    // a cancelled request leaves the decoder usable
    let slow = store.frame(&moments[0]);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(1), slow).await.is_err());
    assert_eq!(number(&store.frame(&moments[0]).await.unwrap()), 0);
    assert_eq!(number(&store.frame(&moments[39]).await.unwrap()), 488);
}

#[tokio::test]
async fn a_moment_of_speech_has_the_frame_shown_then() {
    let folder = TempDir::new().unwrap();
    let media = open_path(&make(&folder, "a.mp4", &format!("{} {X264} OUT", numbered("25", 20)))).await.unwrap();
    let store = MediaStore::new(MediaLimits::default());
    for (seconds, expected) in [(0.0, 0), (12.339, 308), (19.99, 499), (0.05, 1)] {
        let start = Time::from_seconds(seconds);
        let moment = Moment { media: media.clone(), start, end: media.end, text: Some("hello".to_owned()) };
        assert_eq!(number(&store.frame(&moment).await.unwrap()), expected, "{seconds}");
    }
    let late = Moment { media: media.clone(), start: Time::from_seconds(99.0), end: media.end, text: None };
    assert_eq!(store.frame(&late).await.unwrap_err().kind, MediaFault::NotInIt);
}

#[tokio::test]
async fn sound_is_sample_exact() {
    let folder = TempDir::new().unwrap();
    let wav =
        make(&folder, "a.wav", "-f lavfi -i aevalsrc='0.7*sin(2*PI*(200*t+40*t*t))':s=16000:d=5 -c:a pcm_s16le OUT");
    let raw = std::fs::read(make(&folder, "a.raw", "-i a.wav -f s16le OUT")).unwrap();
    let truth: Vec<f32> = raw.chunks(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32768.0).collect();
    let media = open_path(&wav).await.unwrap();
    assert_eq!((media.has_video, media.has_audio, media.end.seconds()), (false, true, 5.0));
    let store = MediaStore::new(MediaLimits::default());
    let s = Time::from_seconds;
    assert_eq!(store.samples(&media, s(0.0), s(5.0), 16000).await.unwrap(), truth);
    assert_eq!(store.samples(&media, s(1.25), s(2.5), 16000).await.unwrap(), truth[20000..40000]);
    assert_eq!(store.samples(&media, s(4.5), s(6.0), 16000).await.unwrap(), [&truth[72000..], &[0.0; 16000]].concat());
    assert!(store.samples(&media, s(0.0), s(0.0), 16000).await.unwrap().is_empty());
    // other containers with the same samples, opened later, read from the middle
    for (name, arguments) in [("b.flac", "-i a.wav OUT"), ("c.mkv", "-i a.wav -c:a flac OUT")] {
        let media = open_path(&make(&folder, name, arguments)).await.unwrap();
        let store = MediaStore::new(MediaLimits::default());
        assert_eq!(store.samples(&media, s(1.25), s(2.5), 16000).await.unwrap(), truth[20000..40000], "{name}");
    }
}

#[tokio::test]
async fn sound_that_starts_late_or_has_gaps_stays_synchronous() {
    let folder = TempDir::new().unwrap();
    make(&folder, "a.wav", "-f lavfi -i aevalsrc='0.7*sin(2*PI*(200*t+40*t*t))':s=16000:d=2 -c:a pcm_s16le OUT");
    let raw = std::fs::read(make(&folder, "a.raw", "-i a.wav -f s16le OUT")).unwrap();
    let truth: Vec<f32> = raw.chunks(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32768.0).collect();
    let video = "-f lavfi -i color=c=black:s=96x32:d=6:r=25";
    let s = Time::from_seconds;
    let check = async |name: &str, arguments: &str, starts: &[f64]| {
        let media = open_path(&make(&folder, name, arguments)).await.unwrap();
        let store = MediaStore::new(MediaLimits::default());
        let samples = store.samples(&media, s(0.0), s(6.0), 16000).await.unwrap();
        let mut expected = vec![0.0; 96000];
        for start in starts {
            let at = (start * 16000.0) as usize;
            expected[at..at + truth.len()].copy_from_slice(&truth);
        }
        let wrong = samples.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() > 1e-3).count();
        assert_eq!((samples.len(), wrong), (96000, 0), "{name}");
    };
    check("late.mkv", &format!("{video} -itsoffset 1.5 -i a.wav -c:v libx264 -preset ultrafast -c:a flac OUT"), &[1.5])
        .await;
    check(
        "late.mov",
        &format!("{video} -itsoffset 1.5 -i a.wav -c:v libx264 -preset ultrafast -c:a pcm_s16le OUT"),
        &[1.5],
    )
    .await;
    let gap =
        "-f lavfi -i aevalsrc='0.7*sin(2*PI*(200*mod(t,3.5)+40*mod(t,3.5)*mod(t,3.5)))':s=16000:d=5.5 -map 0 -map 1";
    let cut = "-af asetnsamples=n=800,aselect='lt(t,2)+gte(t,3.5)' -c:v libx264 -preset ultrafast -c:a pcm_s16le OUT";
    check("gap.mkv", &format!("{video} {gap} {cut}"), &[0.0, 3.5]).await;
}

#[tokio::test]
async fn resampled_sound_does_not_depend_on_earlier_requests() {
    let folder = TempDir::new().unwrap();
    let clip =
        make(&folder, "a.mp4", "-f lavfi -i aevalsrc=0.4*sin(2*PI*300*t)|0.4*sin(2*PI*300*t):s=44100:d=8 -c:a aac OUT");
    let media = open_path(&clip).await.unwrap();
    let s = Time::from_seconds;
    let whole = MediaStore::new(MediaLimits::default()).samples(&media, s(0.0), s(8.0), 16000).await.unwrap();
    let store = MediaStore::new(MediaLimits::default());
    for (from, to) in [(3.0, 4.0), (1.5, 7.25), (0.0, 1.0)] {
        let part = store.samples(&media, s(from), s(to), 16000).await.unwrap();
        assert_eq!(part, whole[(from * 16000.0) as usize..(to * 16000.0) as usize], "{from}");
    }
    // equal to the formula of the sound, to two hundredths
    let off = |i: usize| (whole[i] - 0.4 * (std::f32::consts::TAU * 300.0 * i as f32 / 16000.0).sin()).abs();
    assert!((1000..100_000).all(|i| off(i) < 0.02), "{}", (1000..100_000).map(off).fold(0.0, f32::max));
}

#[tokio::test]
async fn bad_files_give_one_line_each() {
    let folder = TempDir::new().unwrap();
    let good = make(&folder, "good.mp4", &format!("{} {X264} OUT", numbered("25", 4)));
    make(&folder, "fast.mp4", "-i good.mp4 -c copy -movflags +faststart OUT");
    let lock = "-i good.mp4 -c copy -encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb \
        -encryption_kid a7e61c373e219033c21091fa607bf3b8 OUT";
    make(&folder, "locked.mp4", lock);
    let good = std::fs::read(good).unwrap();
    let fast = std::fs::read(folder.path().join("fast.mp4")).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("cut.mp4", &good[..good.len() / 2]);
    write("cut-in-index.mp4", &fast[..400]);
    write("cut-before-data.mp4", &fast[..fast.windows(4).position(|w| w == b"mdat").unwrap() + 14]);
    write("empty.mp4", b"");
    write("text.mp4", b"not a video at all\n");
    let mut noise = [0; 5000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    write("noise.mp4", &noise);
    write("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\ngood.mp4\n#EXT-X-ENDLIST\n");
    write("list.ffconcat", b"ffconcat version 1.0\nfile good.mp4\n");
    write("list.mp4", b"file 'good.mp4'\nfile 'good.mp4'\n");
    write("secret.zip", b"PK\x03\x04\x14\x00\x01\x00\x08\x00aaaaaaaaaaaaaaaaaaaaaaaaaa");
    write("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    let mut lines = String::new();
    let folder_text = folder.path().to_str().unwrap();
    let names = [
        "none.mp4",
        ".",
        "cut.mp4",
        "cut-in-index.mp4",
        "cut-before-data.mp4",
        "empty.mp4",
        "text.mp4",
        "noise.mp4",
        "list.m3u8",
        "list.ffconcat",
        "list.mp4",
        "secret.zip",
        "locked.mp4",
        "a.png",
    ];
    for name in names {
        let error = open(&format!("{folder_text}/{name}"), &Access::default()).await.unwrap_err();
        lines += &format!("{:?}: {}\n", error.kind, error.message.replace(folder_text, "."));
    }
    for address in [
        "",
        "http://127.0.0.1:9/a.mp4",
        "concat:a.mp4|b.mp4",
        "pipe:0",
        "data:video/mp4;base64,AAAA",
        "rtsp://127.0.0.1/a",
        "file:a.mp4",
    ] {
        let error = open(address, &Access::default()).await.unwrap_err();
        lines += &format!("{:?}: {}\n", error.kind, error.message);
    }
    insta::assert_snapshot!(lines, @r"
    Missing: ./none.mp4: no such file
    NotAFile: ./.: is a folder, not a file
    Damaged: ./cut.mp4: is truncated, and no part of it can be read
    Damaged: ./cut-in-index.mp4: is truncated, and no part of it can be read
    Damaged: ./cut-before-data.mp4: is truncated: no frame can be decoded
    Empty: ./empty.mp4: is empty
    NotMedia: ./text.mp4: is a text file, not a video or sound
    NotMedia: ./noise.mp4: is not a video or sound (ffmpeg finds no known format in it)
    Elsewhere: ./list.m3u8: is a playlist (m3u8), which only refers to other files; give the video itself
    Elsewhere: ./list.ffconcat: is a list for ffmpeg's concat, which only refers to other files; give the video itself
    NotMedia: ./list.mp4: is a text file, not a video or sound
    Locked: ./secret.zip: is a password-protected zip archive; decrypt it first
    Locked: ./locked.mp4: is encrypted; decrypt it first
    NotMedia: ./a.png: is a still image (PNG), not a video
    Missing: no file is named
    Elsewhere: http://127.0.0.1:9/a.mp4: is an address; only local files are read (allow it with --allow-network)
    Elsewhere: concat:a.mp4|b.mp4: is not a local file; only local files are read
    Elsewhere: pipe:0: is not a local file; only local files are read
    Elsewhere: data:video/mp4;base64,AAAA: is not a local file; only local files are read
    Elsewhere: rtsp://127.0.0.1/a: is not a local file; only local files are read
    Elsewhere: file:a.mp4: give the plain path of the file, without `file:`
    ");
}

#[cfg(unix)]
#[tokio::test]
async fn pipes_and_devices_do_not_block() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe.mp4");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(open_path(&pipe).await.unwrap_err().kind, MediaFault::NotAFile);
    assert_eq!(open("/dev/zero", &Access::default()).await.unwrap_err().kind, MediaFault::NotAFile);
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    assert_eq!(open_path(&folder.path().join("socket")).await.unwrap_err().kind, MediaFault::NotAFile);
}

#[tokio::test]
async fn the_readable_part_of_a_truncated_file_is_used() {
    let folder = TempDir::new().unwrap();
    make(&folder, "a.mp4", &format!("{} {X264} OUT", numbered("25", 20)));
    for (name, arguments) in
        [("fast.mp4", "-i a.mp4 -c copy -movflags +faststart OUT"), ("b.mkv", "-i a.mp4 -c copy OUT")]
    {
        let bytes = std::fs::read(make(&folder, name, arguments)).unwrap();
        let path = folder.path().join(format!("cut-{name}"));
        std::fs::write(&path, &bytes[..bytes.len() * 6 / 10]).unwrap();
        let media = open_path(&path).await.unwrap();
        assert!((8.0..16.0).contains(&media.end.seconds()), "{name}: {}", media.end);
        let seen = shown(&path, Sampling::Every(1.0)).await;
        assert!(
            seen.len() >= 8 && seen.iter().enumerate().all(|(n, (_, number))| *number == n as u32 * 25),
            "{name}: {seen:?}"
        );
    }
}

#[tokio::test]
async fn a_recording_without_a_duration_is_measured() {
    let folder = TempDir::new().unwrap();
    make(&folder, "a.mp4", &format!("{} {X264} OUT", numbered("25", 4)));
    let live = Command::new("ffmpeg")
        .args("-v error -nostdin -i a.mp4 -c copy -f matroska -live 1 pipe:1".split(' '))
        .current_dir(folder.path())
        .output()
        .unwrap();
    std::fs::write(folder.path().join("live.mkv"), live.stdout).unwrap();
    let media = open_path(&folder.path().join("live.mkv")).await.unwrap();
    assert!((media.end.seconds() - 4.0).abs() < 0.05, "{}", media.end);
}

/// Run it with `cargo test --lib real_clips -- --ignored`.
#[tokio::test]
#[ignore = "needs the clips in ../shared/media"]
async fn real_clips_have_their_own_times() {
    let mut lines = String::new();
    for name in ["bottles.mp4", "people.mp4", "sign-book.mkv", "jfk.flac"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media").join(name);
        let media = open_path(&path).await.unwrap();
        lines += &format!("{name} {} {} {} {}\n", media.start, media.end, media.has_video, media.has_audio);
        if !media.has_video {
            continue;
        }
        let store = MediaStore::new(MediaLimits::default());
        let moments = store.sample(&media, &Sampling::Every(10.0), None).await.unwrap();
        for moment in moments.iter().rev().take(2) {
            let frame = store.frame(moment).await.unwrap();
            let Time { ticks, base } = moment.start;
            lines += &format!("  {ticks} of {}/{} = {} {:?}\n", base.num, base.den, moment.start, frame.dimensions());
        }
    }
    insta::assert_snapshot!(lines, @r"
    bottles.mp4 00:00:00.000 00:00:39.855 true false
      343680 of 1/11456 = 00:00:30.000 (640, 360)
      229248 of 1/11456 = 00:00:20.011 (640, 360)
    people.mp4 00:00:00.000 00:02:19.400 true false
      26000000 of 1/200000 = 00:02:10.000 (768, 432)
      24000000 of 1/200000 = 00:02:00.000 (768, 432)
    sign-book.mkv 00:00:00.033 00:00:03.666 true false
      33 of 1/1000 = 00:00:00.033 (640, 480)
    jfk.flac 00:00:00.000 00:00:11.000 false true
    ");
}

/// The last frame of a selection arrives as soon as it is decoded. The file here never ends, so a decoder that waited
/// for the end of ffmpeg would wait for ever.
#[cfg(unix)]
#[tokio::test]
async fn the_last_wanted_frame_does_not_wait_for_the_rest() {
    use super::{
        frames::{FrameDecoder, FrameSelection},
        probe::probe,
    };
    use std::{fs::File, io::Write};
    let folder = TempDir::new().unwrap();
    let clip = make(&folder, "a.ts", &format!("{} {X264} -muxdelay 0 OUT", numbered("25", 8)));
    let picture = probe(&clip, "a.ts").await.unwrap().picture.unwrap();
    let media = open_path(&clip).await.unwrap();
    let moments = sample(&media, &Sampling::Every(1.0)).await.unwrap();
    let endless = folder.path().join("endless.ts");
    assert!(Command::new("mkfifo").arg(&endless).status().unwrap().success());
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (bytes, there) = (std::fs::read(&clip).unwrap(), endless.clone());
    let writer = std::thread::spawn(move || {
        let mut pipe = File::options().write(true).open(there).unwrap();
        pipe.write_all(&bytes).ok(); // the reader closes the pipe when it has enough frames
        held.recv().ok();
    });
    let wanted = FrameSelection::These(moments[..3].iter().map(|moment| moment.start.ticks).collect());
    let mut decoder = FrameDecoder::start(&endless, "endless.ts", &picture, wanted, None, None).await.unwrap();
    for expected in [0, 25, 50] {
        let next = tokio::time::timeout(std::time::Duration::from_secs(40), decoder.next()).await;
        let (_, image) = next.expect("a frame is not held back").unwrap().unwrap();
        assert_eq!(number(&image), expected);
    }
    assert_eq!(decoder.next().await.unwrap().map(|(pts, _)| pts), None);
    drop((decoder, hold));
    writer.join().unwrap();
}
