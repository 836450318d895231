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
        let video = format!("video=examples/media/{}.mp4", self.name);
        self.run_alone(dialogue, &[&["-i", &video], more].concat())
    }

    /// The answer of a dialogue that takes no video.
    fn run_alone(&self, dialogue: &str, more: &[&str]) -> String {
        self.elenchus(&[&["run", &format!("examples/{dialogue}.yaml"), "-q"], more].concat())
    }

    /// The output of a command that succeeds.
    fn elenchus(&self, args: &[&str]) -> String {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("ELENCHUS_CACHE", self.cache.path())
            .env("ELENCHUS_DATA", self.cache.path())
            .env("NO_COLOR", "1");
        let output = command.args(args).output().expect("it ends");
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
            let caption = day.run("moment_caption", &["-i", &format!("at={}", day.middle(number)), "-i", "count=4"]);
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
fn a_summary_is_short_and_true() {
    for day in days() {
        // the starter mind sometimes puts a moment of a long log into another place
        let told = day.run("summary", &[]);
        let (story, evidence) = told.split_once('\n').expect("the moments that it tells of");
        short_and_true(&day, story, 1);
        assert!((1..=3).contains(&evidence.lines().count()), "{told}");
        // a story in parts is told of moments in all thirds of the day
        let parts = day.run("summary", &["-i", "lines=6", "--json"]);
        let parts: Json = serde_json::from_str(&parts).expect("JSON");
        short_and_true(&day, parts["answer"].as_str().expect("text"), 1);
        let summaries = parts["value"]["summaries"].as_array().expect("summaries");
        let top = summaries.last().expect("a summary");
        assert!(summaries.len() >= 4 && top["level"].as_u64() >= Some(2), "{parts}");
        let lines: Vec<u64> = top["lines"].as_array().expect("lines").iter().filter_map(Json::as_u64).collect();
        assert!(
            lines.len() >= 10 && lines.iter().copied().eq(0..lines.len() as u64),
            "every line counts once: {parts}"
        );
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
fn the_lines_of_the_journal_name_who_made_them() {
    let day = days().next().expect("a day");
    // this dialogue asks a checker and a parser too, and calls the one that writes the lines
    day.run("video_qa", &["-i", "question=Where did I cook soup?"]);
    let lines: Json = serde_json::from_str(&day.elenchus(&["journal", "show", "--json"])).expect("JSON");
    let casts: Vec<&str> = lines.as_array().expect("lines").iter().filter_map(|line| line["cast"].as_str()).collect();
    assert!(casts.len() > 10, "{lines}");
    let expected = "ear: starter-whisper, eye: starter-clip, mind: starter-lm";
    assert!(casts.iter().all(|cast| *cast == expected), "{casts:?}");
}

/// The world-state history of a day: where, what, doing; the names in the speech; and sounds that belong to the world.
#[test]
fn the_world_state_is_that_of_the_day() {
    let (sounds, objects) = (vocab("sounds"), vocab("objects"));
    for day in days() {
        let states: Json = serde_json::from_str(&day.run("world_state", &["--json"])).expect("JSON");
        let states = states["value"].as_array().expect("states");
        let texts = |state: &Json, name: &str| -> Vec<String> {
            let items = state[name].as_array().expect("a list");
            items.iter().map(|item| item.as_str().expect("text").to_owned()).collect()
        };
        let (mut right, mut all, mut named) = (0, 0, Vec::new());
        let (mut known, mut guessed) = (0, 0);
        for state in states {
            let middle = (state["start"].as_f64().expect("a start") + state["end"].as_f64().expect("an end")) / 2.0;
            let line = day.log.iter().find(|line| line["end"].as_f64() > Some(middle)).unwrap_or(&day.log[0]);
            let there = texts(state, "places").first().is_some_and(|place| line["place"] == *place);
            (all, right) = (all + 1, right + usize::from(there && state["activity"] == line["activity"]));
            named.extend(texts(state, "named"));
            let likely = texts(state, "likely_sounds");
            (guessed, known) = (guessed + likely.len(), known + likely.iter().filter(|s| sounds.contains(s)).count());
            assert_eq!(state["sounds"], Json::Array(Vec::new()), "no sound model, no sound");
        }
        assert!(right * 4 >= all * 3, "{}: {right} of {all}", day.name);
        assert!(guessed > 0 && known * 4 >= guessed * 3, "{}: {known} of {guessed}", day.name);
        let said = (0..day.log.len()).map(|n| day.field(n, "heard")).collect::<Vec<_>>().join(" ");
        // whole words: `morning` does not contain a ring
        let said = format!(" {} ", said.replace(['.', '?', ',', '!'], ""));
        let spoken: Vec<&String> = objects.iter().filter(|thing| said.contains(&format!(" {thing} "))).collect();
        let found = spoken.iter().filter(|thing| named.contains(thing)).count();
        assert!(found * 2 >= spoken.len(), "{}: {found} of {spoken:?}: {named:?}", day.name);
    }
}

#[test]
fn seen_things_are_found_and_others_are_not() {
    for day in days() {
        let place = day.field(4, "place");
        let found = day.run("video_search", &["-i", &format!("question=Where did I see the {place}?"), "--json"]);
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
        // one routing, one listening, one line of the journal and one search: no picture was read
        assert!(said["exchanges"].as_u64() <= Some(4) && places(&said) == 0, "{said}");
        assert!(seen["exchanges"].as_u64() > Some(100), "{seen}");
    }
}

/// A list of texts as a JSON input.
fn json_list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    Json::from(texts.into_iter().map(|text| text.as_ref().to_owned()).collect::<Vec<_>>()).to_string()
}

/// The mean frame of a day is nearest to places of that day, and a place of one day alone finds that day.
#[test]
fn days_and_places_find_each_other() {
    let days: Vec<Day> = days().collect();
    let been = |day: &Day, place: &str| (0..day.log.len()).any(|n| day.field(n, "place") == place);
    let places = vocab("places");
    let captions = format!("captions={}", json_list(places.iter().map(|place| format!("a photo of a {place}"))));
    for day in &days {
        let ranked: Json =
            serde_json::from_str(&day.run("video_to_text", &["-i", &captions, "-i", "every=5", "--json"]))
                .expect("JSON");
        let first = (0..3).filter(|n| {
            been(day, ranked["value"][n]["text"].as_str().expect("a caption").trim_start_matches("a photo of a "))
        });
        assert!(first.count() >= 2, "{}: {ranked}", day.name);
    }
    let [one, two] = &days[..] else { panic!("two days") };
    let of_one_alone = places.iter().filter(|place| been(one, place) != been(two, place)).take(4);
    let videos = format!("videos={}", json_list(days.iter().map(|day| media(day.name, "mp4").display().to_string())));
    let (mut right, mut all) = (0, 0);
    for place in of_one_alone {
        let text = format!("text=a photo of a {place}");
        let ranked: Json = serde_json::from_str(
            &one.run_alone("text_to_video", &["-i", &text, "-i", &videos, "-i", "every=5", "--json"]),
        )
        .expect("JSON");
        let first = ranked["value"][0]["video"].as_str().expect("a video");
        let expected = if been(one, place) { one.name } else { two.name };
        (right, all) = (right + usize::from(first.contains(expected)), all + 1);
    }
    assert!(right * 4 >= all * 3, "{right} of {all}");
}

#[test]
fn a_question_is_answered_from_few_pictures() {
    for day in days() {
        let told: Json =
            serde_json::from_str(&day.run("focus", &["-i", "question=Where did I last see the keys?", "--json"]))
                .expect("JSON");
        let last = (0..day.log.len()).rev().find(|n| {
            day.field(*n, "activity").contains("keys")
                || day.log[*n]["seen"].as_array().is_some_and(|seen| seen.iter().any(|thing| thing == "keys"))
        });
        let place = last.map(|n| day.field(n, "place"));
        let text = told["answer"].as_str().expect("an answer");
        assert!(place.is_none_or(|place| text.contains(place)), "{}: {place:?}: {told}", day.name);
        // a second each would be 120 pictures
        assert!(told["value"]["pictures"].as_u64() <= Some(80), "{told}");
    }
}

/// The gold log of a day, for dialogues that read one.
fn log_of(day: &Day) -> String {
    let entry = |line: &Json| {
        let seen: Vec<&str> = line["seen"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let field = |name: &str| line[name].as_str().unwrap_or_default();
        let mut text = format!("{}, {}.", field("place"), field("activity"));
        for (word, part) in [("With", field("people").to_owned()), ("Seen", seen.join(", "))] {
            if !part.is_empty() {
                text += &format!(" {word}: {part}.");
            }
        }
        if !field("heard").is_empty() {
            text += &format!(" Heard: {}", field("heard"));
        }
        serde_json::json!({ "start": line["start"], "end": line["end"], "text": text })
    };
    format!("log={}", Json::from(day.log.iter().map(entry).collect::<Vec<_>>()))
}

/// Questions about places, each with the right answer and those of other questions to choose from.
#[test]
fn answers_are_chosen_by_the_log_and_not_without_it() {
    let (mut right, mut blind, mut all) = (0, 0, 0);
    for day in days() {
        let cases = std::fs::read_to_string(media(day.name, "cases.jsonl")).expect("cases");
        let cases: Vec<Json> = cases.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let of_places: Vec<&Json> = cases.iter().filter(|case| case["kind"] == "where_when").collect();
        let mut answers: Vec<&str> = of_places.iter().filter_map(|case| case["answer"].as_str()).collect();
        answers.sort_unstable();
        answers.dedup();
        for case in of_places.iter().take(5) {
            let answer = case["answer"].as_str().expect("an answer");
            let others = answers.iter().copied().filter(|other| *other != answer).take(3);
            let mut choices: Vec<&str> = others.chain([answer]).collect();
            choices.sort_unstable();
            let choices = format!("choices={}", json_list(choices));
            let question = format!("question={}", case["question"].as_str().expect("a question"));
            let told = day.run_alone("log_choice", &["-i", &log_of(&day), "-i", &question, "-i", &choices, "--json"]);
            let told: Json = serde_json::from_str(&told).expect("JSON");
            (right, all) = (right + usize::from(told["answer"] == answer), all + 1);
            blind += usize::from(told["value"]["blind"] == answer);
        }
    }
    assert!(all >= 6 && right * 10 >= all * 7 && blind * 10 <= all * 6, "{right} right and {blind} blind of {all}");
}

#[test]
fn two_minds_of_one_model_agree() {
    for day in days() {
        let told =
            day.run_alone("debate", &["-i", &log_of(&day), "-i", "question=Where did I last see the keys?", "--json"]);
        let told: Json = serde_json::from_str(&told).expect("JSON");
        let answers = told["value"]["answers"].as_array().expect("answers");
        assert!(answers.contains(&told["answer"]) && told["value"]["rounds"].as_u64() <= Some(2), "{told}");
    }
}

#[test]
fn an_eye_is_steady_under_perturbations() {
    for day in days() {
        let told: Json = serde_json::from_str(&day.run("cross_examine", &["-i", "count=6", "-i", "asks=3", "--json"]))
            .expect("JSON");
        let moments = told["value"]["moments"].as_array().expect("moments");
        let right = moments.iter().filter(|row| {
            let line = day.log.iter().find(|line| line["end"].as_f64() > row["time"].as_f64());
            line.is_some_and(|line| line["place"] == row["eye"])
        });
        assert!(right.count() * 4 >= moments.len() * 3, "{}: {told}", day.name);
        assert!(told["value"]["eye_steady"].as_f64() >= Some(0.7), "{}: {told}", day.name);
    }
}

/// The JSON of a run with these inputs and answers.
fn asked(day: &Day, dialogue: &str, more: &[&str]) -> Json {
    serde_json::from_str(&day.run(dialogue, &[more, &["--json"]].concat())).expect("JSON")
}

#[test]
fn one_day_is_routed_inquired_corrected_and_cooked() {
    let day = days().next().expect("a day");
    // each request reaches the dialogue that serves it, and a follow-up knows what was said
    for (question, route, part) in [
        ("Where did I last see the keys?", "answer", "cafe"),
        ("Show me the keys.", "search", "00:"),
        ("Sum up my day.", "summary", "First I was"),
        ("What will I do next?", "forecast", "I will"),
    ] {
        let found = asked(&day, "router", &["-i", &format!("question={question}")]);
        assert_eq!(found["value"]["route"], route, "{question}");
        assert!(found["answer"].as_str().is_some_and(|answer| answer.contains(part)), "{question}: {found}");
        assert!(found["evidence"].as_array().is_some_and(|evidence| !evidence.is_empty()), "{question}: {found}");
    }
    let first = asked(&day, "router", &["-i", "question=What did I do in the cafe?"]);
    let turns = format!("turns=[{}]", first["value"]["turn"]);
    let found = asked(&day, "router", &["-i", "question=And in the gym?", "-i", &turns]);
    assert!(
        found["answer"].as_str().is_some_and(|answer| answer.to_lowercase().contains("carrying the keys")),
        "{found}"
    );

    // what the log has is not looked for; what no picture shows is looked for, and not found
    let found = asked(&day, "inquire", &["-i", "question=Where did I see the torch?"]);
    assert_eq!((&found["answer"], &found["value"]["rounds"]), (&Json::from("In the hallway."), &Json::from(0)));
    let found = asked(&day, "inquire", &["-i", "question=Where did I see the candle?"]);
    assert_eq!(found["abstained"], true, "{found}");
    let (rounds, reason) = (found["value"]["rounds"].as_u64(), found["value"]["stopped"].as_str());
    assert!(
        rounds >= Some(1) && rounds <= Some(5) && reason.is_some_and(|reason| reason.contains("candle")),
        "{found}"
    );

    // a correction wins, also over a later run of the models
    let right = ["--answer", "which=2", "--answer", "right=juggling"];
    let found = asked(&day, "correct", &right);
    assert!(found["answer"].as_str().is_some_and(|answer| answer.starts_with("Corrected: juggling\n")), "{found}");
    assert_eq!(found["evidence"][0]["text"], "juggling");
    let found = asked(&day, "correct", &["--answer", "which=none of them"]);
    assert_eq!(found["answer"], "Nothing was corrected.");

    // a recipe is cooked by reserved words, and a picture comes from a video
    let cook = ["-i", r#"recipe=["Peel the onions.", "Fry them."]"#, "-i", "ingredients=[\"two onions\", \"oil\"]"];
    let turns = ["next", "show cooking soup", "next", "next", "stop"];
    let answers: Vec<String> = turns.iter().map(|turn| format!("--answer=turn={turn}")).collect();
    let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
    let found = asked(&day, "cook", &[&cook[..], &answers].concat());
    let said: Vec<&str> =
        found["value"]["turns"].as_array().expect("turns").iter().filter_map(|turn| turn["chef"].as_str()).collect();
    let image = format!("(image) 00:00 of examples/media/{}.mp4", day.name);
    let expected = [
        "Step: Peel the onions. (1 of 2)",
        image.as_str(),
        "Step: Fry them. (2 of 2)",
        "That was the last step.",
        "Enjoy the dish!",
    ];
    assert_eq!(said, expected);
}
