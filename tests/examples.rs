//! Every dialogue in `examples/` that writes something, on both sample days with the starter cast.

use assert_cmd::Command;
use serde_json::Value as Json;
use std::path::Path;

/// A day's gold files, which no dialogue reads.
struct Day {
    name: &'static str,
    log: Vec<Json>,
    cache: tempfile::TempDir,
}

fn days() -> impl Iterator<Item = Day> {
    ["day1", "day2"].into_iter().map(|name| {
        let log = std::fs::read_to_string(media(name, "log.jsonl")).expect("a gold log");
        let log = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        Day { name, log, cache: tempfile::tempdir().expect("temp") }
    })
}

fn media(day: &str, ending: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/media").join(format!("{day}.{ending}"))
}

impl Day {
    /// The answer of a dialogue about this day.
    fn run(&self, dialogue: &str, more: &[&str]) -> String {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env("ELENCHUS_CACHE", self.cache.path()).env("NO_COLOR", "1");
        let video = format!("video=examples/media/{}.mp4", self.name);
        command.args(["run", &format!("examples/{dialogue}.yaml"), "-q", "-i", &video]).args(more);
        let output = command.output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    }

    fn field(&self, number: usize, name: &str) -> &str {
        self.log[number][name].as_str().expect("text")
    }
}

#[test]
fn captions_say_where_and_what() {
    for day in days() {
        let mut right = 0;
        for number in [1, 4, 7, 10] {
            let middle = (day.log[number]["start"].as_f64().unwrap_or(0.0)
                + day.log[number]["end"].as_f64().unwrap_or(0.0))
                / 2.0;
            let caption = day.run("caption", &["-i", &format!("at={middle}")]);
            assert!(caption.ends_with('.') && !caption.contains('\n'), "{caption:?}");
            right += usize::from(
                caption.contains(day.field(number, "place")) && caption.contains(day.field(number, "activity")),
            );
        }
        assert!(right >= 3, "{}: {right} of 4", day.name);
    }
}

#[test]
fn a_story_is_short_and_keeps_to_the_day() {
    for day in days() {
        let story = day.run("story", &[]);
        assert!((1..=3).contains(&story.matches('.').count()), "{story}");
        let places =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("vocab/places.txt")).expect("places");
        let been = |place: &str| (0..day.log.len()).any(|n| day.field(n, "place") == place);
        let (there, elsewhere): (Vec<&str>, Vec<&str>) =
            places.lines().filter(|place| story.contains(place)).partition(|place| been(place));
        assert!(there.len() >= 2 && elsewhere.is_empty(), "{story}");
    }
}

#[test]
fn what_is_spoken_of_is_listed() {
    for (day, spoken) in days().zip([["emma", "photo"], ["nora", "socks"]]) {
        let listed = day.run("entities", &[]);
        for name in spoken {
            assert!(listed.split(", ").any(|item| item == name), "{name}: {listed}");
        }
    }
}
