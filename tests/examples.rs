//! Every dialogue in `examples/` that writes text, on both sample days with the starter cast.

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
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("ELENCHUS_CACHE", self.cache.path())
            .env("ELENCHUS_DATA", self.cache.path())
            .env("NO_COLOR", "1");
        let video = format!("video=examples/media/{}.mp4", self.name);
        command.args(["run", &format!("examples/{dialogue}.yaml"), "-q", "-i", &video]).args(more);
        let output = command.output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    }

    fn field(&self, number: usize, name: &str) -> &str {
        self.log[number][name].as_str().expect("text")
    }

    /// The second in the middle of an entry.
    fn middle(&self, number: usize) -> f64 {
        let second = |name: &str| self.log[number][name].as_f64().expect("seconds");
        (second("start") + second("end")) / 2.0
    }
}

/// The labels of `vocab/starter/NAME.txt`.
fn vocab(name: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("vocab/starter/{name}.txt"));
    std::fs::read_to_string(file).expect("labels").lines().map(str::to_owned).collect()
}

/// Asserts that the story has at most three sentences, and names places of the day and at most `strays` others.
fn short_and_true(day: &Day, story: &str, strays: usize) {
    assert!((1..=3).contains(&story.matches('.').count()), "{story}");
    let been = |place: &str| (0..day.log.len()).any(|n| day.field(n, "place") == place);
    let places = vocab("places");
    let (there, elsewhere): (Vec<&String>, Vec<&String>) =
        places.iter().filter(|place| story.contains(place.as_str())).partition(|place| been(place));
    assert!(there.len() >= 2 && elsewhere.len() <= strays, "{story}");
}

#[test]
fn captions_name_the_place_and_the_activity() {
    for day in days() {
        let mut right = 0;
        for number in [1, 4, 7, 10] {
            let caption = day.run("caption", &["-i", &format!("at={}", day.middle(number))]);
            assert!(caption.ends_with('.') && !caption.contains('\n'), "{caption:?}");
            right += usize::from(
                caption.contains(day.field(number, "place")) && caption.contains(day.field(number, "activity")),
            );
        }
        assert!(right >= 3, "{}: {right} of 4", day.name);
    }
}

#[test]
fn a_story_is_short_and_true() {
    for day in days() {
        short_and_true(&day, &day.run("story", &[]), 0);
    }
}

#[test]
fn entities_in_speech_are_listed() {
    let objects = vocab("objects");
    for day in days() {
        let said = (0..day.log.len()).map(|n| day.field(n, "heard")).collect::<Vec<_>>().join(" ");
        // whole words: `morning` does not contain a ring
        let said = format!(" {} ", said.replace(['.', '?', ',', '!'], ""));
        let spoken: Vec<&String> = objects.iter().filter(|thing| said.contains(&format!(" {thing} "))).collect();
        let listed = day.run("entities", &[]);
        let found = spoken.iter().filter(|thing| listed.split(", ").any(|item| item == thing.as_str())).count();
        assert!(found * 2 >= spoken.len(), "{found} of {spoken:?}: {listed}");
    }
}

#[test]
fn a_summary_is_short_and_true() {
    for day in days() {
        // the starter mind sometimes puts a moment of a long log into another place
        short_and_true(&day, &day.run("summary", &[]), 1);
    }
}

#[test]
fn a_forecast_is_one_sentence_with_evidence() {
    for day in days() {
        let told = day.run("forecast", &[]);
        let (sentence, evidence) = told.split_once('\n').expect("evidence");
        assert!(sentence.starts_with("I will ") && sentence.ends_with('.'), "{told}");
        assert!(evidence.trim_start().starts_with("00:0"), "{told}");
    }
}

#[test]
fn sounds_belong_to_the_generated_world() {
    let (sounds, mut known, mut all) = (vocab("sounds"), 0, 0);
    for day in days() {
        for number in [1, 5, 9] {
            let heard = day.run("sounds", &["-i", &format!("at={}", day.middle(number))]);
            all += heard.split(", ").count();
            known += heard.split(", ").filter(|sound| sounds.iter().any(|known| known == sound)).count();
        }
    }
    assert!(known * 4 >= all * 3, "{known} of {all}");
}

#[test]
fn seen_things_are_found_and_others_are_not() {
    for day in days() {
        let place = day.field(4, "place");
        let found = day.run("find", &["-i", &format!("question=Where did I see the {place}?"), "--json"]);
        let found: Json = serde_json::from_str(&found).expect("JSON");
        let there = |moment: &Json| {
            let (start, end) = (moment["start"].as_f64(), moment["end"].as_f64());
            let shares = |line: &&Json| line["start"].as_f64() < end && line["end"].as_f64() > start;
            day.log.iter().filter(shares).any(|line| line["place"] == place)
        };
        let moments = found["evidence"].as_array().expect("moments");
        let right = moments.iter().filter(|moment| there(moment)).count();
        assert!(right > 0 && right * 2 >= moments.len(), "{}: {place}: {found}", day.name);
    }
}

#[test]
fn a_question_uses_only_the_senses_that_it_needs() {
    for day in days() {
        let ask = |question: &str| -> Json {
            let told = day.run("quick_qa", &["-i", &format!("question={question}"), "--json"]);
            serde_json::from_str(&told).expect("JSON")
        };
        let said = ask("What did I promise to do?");
        let seen = ask("Where did I last see the keys?");
        let places = |told: &Json| {
            let evidence = told["evidence"].as_array().expect("evidence");
            evidence.iter().filter(|line| line["text"].as_str().is_some_and(|text| !text.starts_with("Heard:"))).count()
        };
        // one routing, one listening, one line of the journal, one answer: no picture was read
        assert!(said["exchanges"].as_u64() <= Some(4) && places(&said) == 0, "{said}");
        assert!(seen["exchanges"].as_u64() > Some(100), "{seen}");
    }
}
