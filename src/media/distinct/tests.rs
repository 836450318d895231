//! Generated clips: still, panning, with a small thing that moves, with a cut, at a variable rate, and partly withheld.

use super::*;
use crate::{
    exchange::Sampling,
    media::{
        MediaLimits, MediaStore,
        tests::{make, open_path},
    },
    value::Media,
};
use std::sync::Arc;
use tempfile::TempDir;

const X264: &str = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 2 -g 50 -crf 18";
const SECOND: Sampling = Sampling::Every(1.0);

/// Makes a clip with these arguments and ten seconds of time, and opens it.
async fn clip(folder: &TempDir, name: &str, source: &str) -> Arc<Media> {
    open_path(&make(folder, name, &format!("{source} {X264} -t 10 OUT"))).await.unwrap()
}

/// The starts of the moments that are kept, in seconds. Each must end where the next one begins, the last with the medium.
async fn kept(media: &Arc<Media>, sampling: Sampling, least: f64) -> Vec<f64> {
    let store = MediaStore::new(MediaLimits::default());
    let all = store.sample(media, &sampling, None).await.unwrap();
    let moments = store.sample(media, &sampling, Some(least)).await.unwrap();
    assert!(moments.windows(2).all(|two| two[0].start < two[0].end && two[0].end == two[1].start));
    assert_eq!((moments[0].start, moments.last().unwrap().end), (all[0].start, all.last().unwrap().end));
    // exactly times of sampled frames, whose pixels exist
    assert!(moments.iter().all(|moment| all.iter().any(|other| other.start == moment.start)));
    store.frame(moments.last().unwrap()).await.unwrap();
    moments.iter().map(|moment| (moment.start.seconds() * 1e4).round() / 1e4).collect()
}

#[tokio::test]
async fn a_still_video_is_one_moment() {
    let folder = TempDir::new().unwrap();
    // a camera on a table: the picture is still, its sensor is not
    let noisy = "-f lavfi -i smptebars=s=320x240:r=25,noise=alls=8:allf=t";
    let media = clip(&folder, "a.mp4", noisy).await;
    for sampling in [SECOND, Sampling::Every(0.04), Sampling::Keyframes, Sampling::Scenes(0.0)] {
        assert_eq!(kept(&media, sampling, 0.02).await, [0.0]);
    }
    assert_eq!(kept(&media, SECOND, 1e-9).await.len(), 10, "the noise itself");
}

#[tokio::test]
async fn slow_changes_add_up() {
    let folder = TempDir::new().unwrap();
    // no two neighbours differ by 0.02: 1.6 % of the range in a second
    let dawn = "-f lavfi -i color=c=black:s=320x240:r=25,format=gray,geq=lum=40+4*T";
    let starts = kept(&clip(&folder, "dawn.mp4", dawn).await, SECOND, 0.03).await;
    assert_eq!(starts, [0.0, 2.0, 4.0, 6.0, 8.0]);
    let pan = "-f lavfi -i testsrc2=s=640x240:r=25:d=0.04,loop=250:1,crop=320:240:x=20*t:y=0";
    let starts = kept(&clip(&folder, "pan.mp4", pan).await, Sampling::Every(0.2), 0.2).await;
    assert!((8..40).contains(&starts.len()), "{starts:?}");
}

#[tokio::test]
async fn a_small_thing_that_moves_counts() {
    let folder = TempDir::new().unwrap();
    // 20×20 of 320×240 pixels: the mean of the whole picture changes by 0.5 %
    let source = "-f lavfi -i color=c=gray:s=320x240:r=25 -f lavfi -i color=c=white:s=20x20:r=25 \
                  -filter_complex overlay=x='if(lt(t,5),25*t,125)':y=100";
    let media = clip(&folder, "a.mp4", source).await;
    assert_eq!(kept(&media, SECOND, 0.02).await, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(kept(&media, SECOND, 0.5).await, [0.0]);
}

#[tokio::test]
async fn a_cut_begins_a_moment() {
    let folder = TempDir::new().unwrap();
    let source = "-f lavfi -i color=c=navy:s=320x240:r=25:d=4.2 -f lavfi -i color=c=olive:s=320x240:r=25:d=6 \
                  -filter_complex concat=n=2";
    let media = clip(&folder, "a.mp4", source).await;
    assert_eq!(kept(&media, SECOND, 0.02).await, [0.0, 5.0]);
    assert_eq!(kept(&media, Sampling::Every(0.04), 0.02).await, [0.0, 4.2]);
    assert_eq!(kept(&media, Sampling::Scenes(0.1), 0.02).await, [0.0, 4.2]);
    assert_eq!(kept(&media, Sampling::Keyframes, 0.02).await, [0.0, 6.0], "a keyframe every two seconds");
}

#[tokio::test]
async fn times_of_a_variable_rate_stay_exact() {
    let folder = TempDir::new().unwrap();
    // groups of ten frames at 25 a second with a second between them; the fourth group (from 4.2 s) has another colour
    let source = "-f lavfi -i color=c=black:s=320x240:r=25,format=gray,geq=lum='if(lt(N,30),60,180)',\
                  setpts=PTS+floor(N/10)/TB -fps_mode passthrough";
    let media = clip(&folder, "a.mkv", source).await;
    assert_eq!(kept(&media, Sampling::Every(0.001), 0.02).await, [0.0, 4.2]);
    assert_eq!(kept(&media, SECOND, 0.02).await, [0.0, 4.2]);
}

#[tokio::test]
async fn withheld_stretches_part_moments() {
    let folder = TempDir::new().unwrap();
    let media = clip(&folder, "a.mp4", "-f lavfi -i color=c=navy:s=320x240:r=25").await;
    let at = |seconds: f64| Time::from_seconds(seconds);
    let check = async |withheld: &[(f64, f64)], expected: &[(f64, f64)]| {
        let withheld = withheld.iter().map(|(from, to)| (at(*from), at(*to))).collect();
        let media = Arc::new(Media { withheld, ..(*media).clone() });
        let moments = MediaStore::new(MediaLimits::default()).sample(&media, &SECOND, Some(0.02)).await.unwrap();
        let found: Vec<_> = moments.iter().map(|m| (m.start.seconds(), m.end.seconds())).collect();
        assert_eq!(found, expected);
    };
    check(&[(0.0, 3.0)], &[(3.0, 10.0)]).await;
    check(&[(2.5, 6.5)], &[(0.0, 2.5), (7.0, 10.0)]).await;
    check(&[(2.2, 2.8)], &[(0.0, 2.2), (3.0, 10.0)]).await;
    check(&[(0.0, 20.0)], &[]).await;
}

#[tokio::test]
async fn an_invalid_difference_is_refused() {
    let folder = TempDir::new().unwrap();
    let media = clip(&folder, "a.mp4", "-f lavfi -i color=c=navy:s=64x48:r=5").await;
    for least in [0.0, -1.0, 1.5, f64::NAN] {
        let error = MediaStore::new(MediaLimits::default()).sample(&media, &SECOND, Some(least)).await.unwrap_err();
        let expected = format!("{}: found {least} for distinct, expected more than 0, at most 1", media.path);
        assert_eq!(error.message, expected);
    }
}

#[test]
fn the_difference_is_that_of_the_part_that_changed_most() {
    let grey = |value: u8| RgbImage::from_pixel(SIDE, SIDE, image::Rgb([value; 3]));
    assert_eq!(difference(&grey(0), &grey(255)), 1.0);
    assert_eq!(difference(&grey(51), &grey(0)), 0.2);
    let mut other = grey(0);
    for (x, y) in [(4, 8), (5, 8), (4, 9), (5, 9)] {
        other.put_pixel(x, y, image::Rgb([255, 0, 0]));
    }
    // one of three colours in a quarter of one part
    assert!((difference(&grey(0), &other) - 1.0 / 12.0).abs() < 1e-12);
}
