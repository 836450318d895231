//! Truncated files: each moment that sampling finds has a frame.

use super::*;
use crate::media::{
    MediaLimits, MediaStore,
    tests::{make, open_path},
};
use tempfile::TempDir;

/// Truncates `bytes` to `length`, samples the file, and decodes the frames of the first and last moments.
async fn cut(folder: &TempDir, name: &str, bytes: &[u8], length: usize, samplings: &[Sampling]) {
    let path = folder.path().join(name);
    std::fs::write(&path, &bytes[..length]).unwrap();
    let media = open_path(&path).await.unwrap_or_else(|error| panic!("{length}: {error}"));
    for sampling in samplings {
        let store = MediaStore::new(MediaLimits::default());
        let sampling = match sampling {
            // just before the end, and at it
            Sampling::Times(_) => Sampling::Times(vec![0.0, media.end.seconds() - 0.01]),
            other => other.clone(),
        };
        let moments = store.sample(&media, &sampling, None).await.unwrap_or_else(|e| panic!("{name} at {length}: {e}"));
        let last = moments.len().saturating_sub(3);
        for moment in moments.iter().take(1).chain(&moments[last..]) {
            let frame = store.frame(moment).await;
            assert!(frame.is_ok(), "{name} at {length}, {sampling:?}: {}", frame.unwrap_err());
        }
        assert!(moments.windows(2).all(|two| two[0].end == two[1].start) && moments[0].start < moments[0].end);
    }
}

#[tokio::test]
async fn each_moment_of_a_truncated_file_has_a_frame() {
    let folder = TempDir::new().unwrap();
    let day = std::fs::read("examples/media/day1.mp4").unwrap();
    let all = [Sampling::Every(1.0), Sampling::Keyframes, Sampling::Scenes(0.1), Sampling::Times(Vec::new())];
    for length in [100_000, 400_000, 800_000] {
        cut(&folder, "day.mp4", &day, length, &all).await;
    }
    cut(&folder, "day.mp4", &day, day.len() - 100_000, &all[..1]).await;
    for ending in ["ts", "mkv"] {
        let copy = make(&folder, &format!("a.{ending}"), &format!("-t 8 -i {} -c copy OUT", day_path()));
        let bytes = std::fs::read(copy).unwrap();
        for length in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 3000, bytes.len() - 500] {
            cut(&folder, &format!("cut.{ending}"), &bytes, length, &all).await;
        }
    }
}

fn day_path() -> String {
    format!("{}/examples/media/day1.mp4", env!("CARGO_MANIFEST_DIR"))
}
