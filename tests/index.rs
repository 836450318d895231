//! Indexing from outside: levels, the time of a question, a full disk, copies, and arguments that cannot be met.

#[path = "journal/place.rs"]
mod place;

use place::Place;
use serde_json::{Value as Json, json};
use std::{
    fs,
    process::{Command, Output},
    time::{Duration, Instant},
};

#[test]
fn a_level_is_added_without_the_others() {
    let place = Place::new();
    let index = |levels: &str| place.json(&["index", "days", "--levels", levels]);
    let levels = |told: &Json| told["videos"][0]["levels"].clone();
    let first = index("speech");
    assert_eq!((&first["added"], levels(&first)), (&1.into(), json!(["speech"])), "{first}");
    assert!(place.texts(&["journal", "show", "--sense", "seen"]).is_empty());
    let heard = place.json(&["journal", "show", "--sense", "heard"]);
    let second = index("ranking, captions");
    assert_eq!(levels(&second), json!(["speech", "ranking", "captions"]));
    // the lines of speech are the same ones, with their numbers, so speech was not done again
    assert_eq!(place.json(&["journal", "show", "--sense", "heard"]), heard);
    let captions = place.texts(&["journal", "show", "--sense", "caption"]);
    assert!(captions.len() == 1 && captions[0].contains("soup"), "{captions:?}");
    for known in ["speech,ranking,captions", "captions", "speech"] {
        let told = index(known);
        assert_eq!((&told["added"], &told["known"]), (&0.into(), &1.into()), "{known}: {told}");
    }
    // the usual levels are the same as these two
    let told = place.json(&["index", "days"]);
    assert_eq!((&told["known"], &told["failed"]), (&1.into(), &0.into()), "{told}");
    assert_eq!(
        place.json(&["journal", "stat"])["media"][0]["levels"],
        json!(["speech", "ranking", "captions"]),
        "an overview lists them too"
    );
    // an answer says which levels it rests on, and a caption is not counted beside what it describes
    let count = place.json(&["ask", "days/one.mp4", "How many times did I cook soup?"]);
    assert_eq!((&count["answer"], &count["levels"]), (&"Once.".into(), &json!(["speech", "ranking"])), "{count}");
    let unknown = place.json(&["ask", "days/one.mp4", "What colour was the spaceship?"]);
    assert_eq!(unknown["levels"], json!([]), "{unknown}");
}

#[test]
fn a_level_without_an_agent_gives_one_line() {
    let place = Place::new();
    for (levels, expected) in [("speech,sounds", "`listener`"), ("detection", "`detector`")] {
        let (out, err) = place.run(&["index", "days", "--levels", levels], 2);
        assert!(out.is_empty() && err.contains(expected) && err.lines().count() == 2, "{levels}: {err}");
    }
    assert!(!place.path("data/journal/journal.sqlite").exists(), "nothing was done");
    let (_, err) = place.run(&["index", "days", "--levels", "smell"], 2);
    assert!(err.contains("expected one of speech, ranking, captions, sounds, detection"), "{err}");
    fs::write(
        place.path("own.yaml"),
        "version: 1\ndialogue: own\ninputs: { video: video }\nsteps:\n  lines: { journal: { about: \"{{ video }}\", senses: [heard], add: [] } }\nanswer: \"{{ lines }}\"\n",
    )
    .expect("written");
    let (_, err) = place.run(&["index", "days", "--dialogue", "own.yaml", "--levels", "speech"], 2);
    assert!(err.contains("own cannot write the level `speech` alone"), "{err}");
    place.run(&["index", "days", "--dialogue", "own.yaml"], 0);
}

#[test]
fn nothing_later_than_a_time_is_read() {
    let place = Place::new();
    let start = ["index", "days/one.mp4", "--starts-at", "2026-11-23T09:00", "--tz", "UTC", "--levels"];
    place.run(&[&start[..], &["speech,ranking,captions"]].concat(), 0);
    let at = |time: &str| ["--as-of".to_owned(), format!("2026-11-23T{time}")];
    let ask = |args: &[&str], time: &str| {
        let [flag, time] = at(time);
        place.json(&[args, &[&flag, &time]].concat())
    };
    let count = |json: Json| json.as_array().map(Vec::len);
    // what is said ends within five seconds, the first stretch after eight; both have frames
    assert_eq!(count(ask(&["search", "hallway", "--words-only"], "09:00:01")), Some(0));
    assert_eq!(count(ask(&["search", "hallway", "--words-only"], "09:00:06")), Some(1));
    assert_eq!(count(ask(&["search", "stirring a pot on the stove"], "08:59")), Some(0));
    assert!(count(ask(&["search", "stirring a pot on the stove"], "09:00:10")) > Some(0));
    for show in [&["journal", "show"][..], &["journal", "show", "--all"]] {
        assert_eq!(count(ask(show, "09:00:01")), Some(0), "{show:?}");
        assert!(count(ask(show, "10:00")) > Some(3), "{show:?}");
    }
    assert_eq!(ask(&["journal", "stat"], "08:59")["media"], json!([]));
    assert_eq!(ask(&["journal", "stat"], "09:00:01")["media"][0]["lines"], 0);
    let (exported, err) = place.run(&["journal", "export", "--format", "jsonl", "--as-of", "2026-11-23T09:00:01"], 0);
    assert!(exported.is_empty() && err.contains("nothing is exported"), "{err}");
    let answer = ask(&["ask", "--journal", "How many times did I cook soup?"], "09:00:02");
    assert_eq!(answer["abstained"], true, "{answer}");
    let (_, err) = place.run(&["ask", "days/one.mp4", "Where?", "--dialogue", "video_qa", "--as-of", "2026-11-23"], 2);
    assert!(err.contains("lacks the input `as_of`"), "{err}");
    let (_, err) = place.run(&["search", "soup", "--as-of", "soon"], 2);
    assert!(err.contains("2026-11-23T09:15"), "{err}");
}

/// The outcome of a script of bash with the program's environment. The program is `$0`.
fn bash(place: &Place, script: &str) -> Output {
    let program = assert_cmd::cargo::cargo_bin("elenchus");
    let mut bash = Command::new("bash");
    bash.current_dir(place.folder.path()).args(["-c", script]).arg(program);
    bash.env("ELENCHUS_CACHE", place.path("cache")).env("ELENCHUS_DATA", place.path("data"));
    bash.env("NO_COLOR", "1").env("TZ", "UTC").env_remove("ELENCHUS_JOURNAL");
    bash.output().expect("bash runs")
}

/// Fails unless the program ended with one line about what is full, and a hint.
#[track_caller]
fn check_full(code: &str, stderr: &str, what: &str) {
    let lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(code, "1", "{what}: {stderr}");
    assert!(lines.len() == 1 && stderr.contains("hint: ") && !stderr.contains("panicked"), "{what}: {stderr}");
    assert!(lines[0].contains("journal") && lines[0].contains("written"), "{what}: {stderr}");
}

#[test]
fn a_full_disk_gives_one_line_and_heals() {
    let place = Place::new();
    place.cut("days/two.mp4", 40);
    place.run(&["index", "days/one.mp4"], 0);
    let before = place.json(&["journal", "show"]);
    // no file may grow beyond this: the write fails as on a full disk, for every user
    for blocks in [4, 16, 64, 200] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" index days/two.mp4 -q");
        let output = bash(&place, &script);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            assert!(blocks == 200, "{blocks} blocks are too few");
            continue;
        }
        check_full(&output.status.code().unwrap_or(-1).to_string(), &stderr, &format!("{blocks} blocks"));
        assert_eq!(place.json(&["journal", "show", "--of", "days/one.mp4"]), before, "nothing is lost");
    }
    place.run(&["index", "days/two.mp4"], 0);
    let stat = place.json(&["journal", "stat"]);
    assert_eq!(stat["media"].as_array().map(Vec::len), Some(2), "{stat}");
    assert_eq!(stat["vectors"][0]["count"], 20, "{stat}");
}

/// A disk of a few megabytes in a namespace of its own, where the system lets this user make one.
#[test]
fn a_small_disk_that_is_full_heals_when_it_has_room() {
    let namespace = ["-m", "-Urm"].into_iter().find(|flags| {
        let mount = ["sh", "-c", "mount -t tmpfs tmpfs /mnt"];
        Command::new("unshare").arg(flags).args(mount).output().is_ok_and(|output| output.status.success())
    });
    let Some(flags) = namespace else {
        eprintln!("notice: this user cannot mount a disk in a namespace; the test is skipped");
        return;
    };
    let place = Place::new();
    place.cut("days/two.mp4", 40);
    fs::create_dir_all(place.path("data")).expect("made");
    // one video fits; then all room but some kilobytes is taken
    fs::write(
        place.path("full.sh"),
        r#"mount -t tmpfs -o size=4m tmpfs data || exit 99
        "$0" index days/one.mp4 -q >/dev/null || exit 98
        "$0" journal show --json > before
        for left in 0 8 40 100 200; do
            rm -f data/fill
            room=$(($(df -k --output=avail data | tail -1) - left))
            head -c ${room}K /dev/zero > data/fill
            "$0" index days/two.mp4 -q >/dev/null 2> error.$left
            echo "$? $left"
            "$0" journal show --of days/one.mp4 --json > after
            cmp before after || exit 97
        done
        rm data/fill
        "$0" index days/two.mp4 -q >/dev/null || exit 96
        "$0" journal stat --json > stat"#,
    )
    .expect("written");
    let script =
        format!("exec unshare {flags} bash full.sh \"$0\"").replace("full.sh \"$0\"", "-c \"$(cat full.sh)\" \"$0\"");
    let output = bash(&place, &script);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut failed = 0;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (code, left) = line.split_once(' ').expect("code and kilobytes");
        let error = fs::read_to_string(place.path(&format!("error.{left}"))).expect("read");
        if code != "0" {
            failed += 1;
            check_full(code, &error, &format!("{left} kB left"));
        }
    }
    assert!(failed >= 2, "{output:?}");
    let stat: Json = serde_json::from_slice(&fs::read(place.path("stat")).expect("read")).expect("JSON");
    assert_eq!(stat["media"].as_array().map(Vec::len), Some(2), "{stat}");
    assert_eq!(stat["vectors"][0]["count"], 20, "{stat}");
}

#[test]
fn a_copy_does_not_take_the_place_of_its_video() {
    let place = Place::new();
    place.run(&["index", "days/one.mp4"], 0);
    fs::copy(place.path("days/one.mp4"), place.path("days/copy.mp4")).expect("copied");
    assert_eq!(place.json(&["index", "days/copy.mp4"])["known"], 1);
    let path = || place.json(&["journal", "stat"])["media"][0]["path"].as_str().expect("a path").to_owned();
    assert!(path().ends_with("days/one.mp4"), "{}", path());
    // both names mean the video
    let lines = place.texts(&["journal", "show", "--of", "days/copy.mp4"]);
    assert!(!lines.is_empty() && lines == place.texts(&["journal", "show", "--of", "days/one.mp4"]));
    // only a moved video has another place
    fs::remove_file(place.path("days/one.mp4")).expect("removed");
    place.run(&["index", "days/copy.mp4"], 0);
    assert!(path().ends_with("days/copy.mp4"), "{}", path());
}

#[test]
fn a_journal_that_cannot_be_written_is_said_before_the_work() {
    let place = Place::new();
    place.cut("days/two.mp4", 40);
    place.run(&["index", "days/one.mp4"], 0);
    // no file may grow, for every user
    let limited = |args: &str| {
        let output = bash(&place, &format!("trap '' XFSZ; ulimit -f 4; exec \"$0\" {args}"));
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for command in ["index days/two.mp4", "ask days/two.mp4 'Where was I?'"] {
        let (code, err) = limited(command);
        assert!(code == Some(1) && err.contains("the journal cannot be written"), "{command}: {err}");
        assert!(!err.contains("rank:") && !err.contains("hear:"), "no model is asked before: {command}: {err}");
    }
    // what it has can still be asked
    let (code, err) = limited("ask days/one.mp4 'How many times did I cook soup?'");
    assert_eq!(code, Some(0), "{err}");
}

#[test]
fn a_removed_line_can_be_restored() {
    let place = Place::new();
    place.run(&["index", "days/one.mp4"], 0);
    let line = || place.json(&["journal", "show", "--sense", "done"])[0].clone();
    let (id, before) = (line()["id"].to_string(), line());
    place.run(&["journal", "correct", &id, "--remove"], 0);
    assert!(!place.texts(&["journal", "show"]).contains(&"cooking soup".to_owned()));
    place.run(&["journal", "correct", &id, "--restore"], 0);
    let after = line();
    assert_eq!((&after["text"], &after["labels"]), (&before["text"], &before["labels"]), "{after}");
    // a removed line can be corrected at once, and both are taken back together
    let id = after["id"].to_string();
    place.run(&["journal", "correct", &id, "--remove"], 0);
    place.run(&["journal", "correct", &id, "stirring the tea"], 0);
    assert_eq!(line()["text"], "stirring the tea");
    place.run(&["index", "days/one.mp4", "--fresh"], 0);
    place.run(&["journal", "correct", &id, "--restore"], 0);
    assert_eq!(line()["text"], "cooking soup");
    let (_, err) = place.run(&["journal", "correct", &line()["id"].to_string(), "--restore"], 1);
    assert!(err.contains("was not corrected"), "{err}");
    let (_, err) = place.run(&["journal", "correct", "99999", "--restore"], 1);
    assert!(err.contains("no line 99999"), "{err}");
}

#[test]
fn arguments_that_cannot_be_met_are_said() {
    let place = Place::new();
    let check = |args: &[&str], code: i32, expected: &str| {
        let (_, err) = place.run(args, code);
        assert!(err.contains(expected), "{args:?}: {err}");
    };
    check(&["journal", "export", "--format", "ics"], 0, "nothing is exported");
    check(&["index", "days/one.mp4", "--exclude", "10:00-10:30"], 2, "begins after the end");
    assert!(place.texts(&["journal", "show"]).is_empty());
    place.run(&["index", "days/one.mp4"], 0);
    check(&["journal", "export", "--format", "ics"], 0, "have no known time");
    check(&["journal", "export", "--clips", "clips", "--out", "x.mp4"], 2, "--out");
    for args in [
        &["journal", "show", "--of", "none.mp4"][..],
        &["journal", "export", "--format", "csv", "--of", "none.mp4"],
        &["journal", "forget", "none.mp4"],
        &["search", "soup", "--of", "none.mp4"],
    ] {
        check(args, 3, "none.mp4");
    }
    let (help, _) = place.run(&["journal", "forget", "--help"], 0);
    assert!(help.contains("journal forget --word "), "{help}");
}

#[test]
fn watching_ends_with_its_deadline() {
    let place = Place::new();
    place.run(&["index", "days"], 0);
    let begun = Instant::now();
    let (_, err) = place.run(&["index", "--watch", "days", "--deadline", "3s"], 5);
    assert!(err.contains("the deadline of 3s passed"), "{err}");
    assert!(begun.elapsed() < Duration::from_secs(60));
}
