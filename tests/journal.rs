//! The journal from outside: indexing, searching, correcting, exporting and forgetting, with the starter cast on a sample day.

#[path = "journal/place.rs"]
mod place;

use assert_cmd::Command;
use place::Place;
use serde_json::Value as Json;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

#[test]
fn a_video_is_indexed_once_searched_corrected_and_exported() {
    let place = Place::new();
    place.cut("days/walk_2026-11-23.mp4", 40);
    fs::write(place.path("days/notes.txt"), "x").expect("written");
    let first = place.json(&["index", "days"]);
    assert_eq!((&first["added"], &first["known"], &first["failed"]), (&2.into(), &0.into(), &0.into()));
    assert!(first["vectors"].as_u64() >= Some(20), "a frame of each second has a vector: {first}");
    let again = place.json(&["index", "days"]);
    assert_eq!((&again["added"], &again["known"], &again["vectors"]), (&0.into(), &2.into(), &0.into()));
    let stat = place.json(&["journal", "stat"]);
    assert_eq!(stat["vectors"][0]["agent"], "starter-clip", "{stat}");
    assert_eq!(stat["vectors"][0]["count"], first["vectors"], "{stat}");
    let media = stat["media"].as_array().expect("media");
    assert_eq!(media.len(), 2);
    assert!(
        media[0]["path"].as_str().is_some_and(|path| path.ends_with("walk_2026-11-23.mp4")),
        "a known time comes first: {stat}"
    );
    assert_eq!(media[0]["wall_ms"], 1_795_392_000_000_i64);

    // each line has its sense, exact times, labels with scores, and the exchanges that it came from
    let lines = place.json(&["journal", "show", "--of", "days/one.mp4"]);
    let of = |sense: &str| {
        lines.as_array().expect("lines").iter().find(|line| line["sense"] == sense).expect("a line").clone()
    };
    let (seen, done, heard) = (of("seen"), of("done"), of("heard"));
    assert!(seen["text"].as_str().is_some_and(|text| text.starts_with("kitchen.")), "{seen}");
    assert!(seen["labels"][0]["score"].as_f64().is_some_and(|score| (0.5..=1.0).contains(&score)), "{seen}");
    assert_eq!(done["text"], "cooking soup");
    assert!(heard["text"].as_str().is_some_and(|text| text.contains("hallway")), "{heard}");
    assert!(heard["end"].as_f64() < seen["end"].as_f64());
    assert!(seen["exchanges"].as_array().is_some_and(|keys| keys.len() > 10), "{seen}");
    assert_eq!(heard["exchanges"].as_array().map(Vec::len), Some(1), "{heard}");
    assert!(seen["cast"].as_str().is_some_and(|cast| cast.contains("eye: starter-clip")), "{seen}");

    let hits = place.json(&["search", "please go to the halway"]);
    assert_eq!((&hits[0]["text"], &hits[0]["id"]), (&heard["text"], &heard["id"]), "{hits}");
    assert!(hits[0]["score"].as_f64().is_some_and(|score| score > 0.5), "{hits}");
    assert!(place.texts(&["search", "spaceship"]).is_empty());
    assert!(place.texts(&["search", "soup", "--sense", "heard"]).is_empty());
    assert_eq!(place.texts(&["search", "soups", "--of", "days/one.mp4"]), ["cooking soup"]);

    // a correction wins, also after the video is indexed again
    let id = done["id"].to_string();
    place.run(&["journal", "correct", &id, "stirring the tea"], 0);
    assert_eq!(place.texts(&["search", "tea"]), ["stirring the tea"]);
    assert!(place.texts(&["search", "soup", "--of", "days/one.mp4", "--words-only"]).is_empty());
    place.run(&["index", "days/one.mp4", "--fresh"], 0);
    assert_eq!(place.texts(&["search", "tea"]), ["stirring the tea"]);
    assert!(place.texts(&["journal", "show", "--all"]).contains(&"cooking soup".to_owned()));
    let (_, err) = place.run(&["journal", "correct", "99999", "x"], 1);
    assert!(err.contains("no line 99999"), "{err}");

    let (srt, _) = place.run(&["journal", "export", "--format", "srt", "--of", "days/one.mp4", "--sense", "heard"], 0);
    assert!(srt.starts_with("1\n00:00:00,") && srt.contains("hallway"), "{srt}");
    let (_, err) = place.run(&["journal", "export", "--format", "vtt"], 2);
    assert!(err.contains("--of VIDEO"), "{err}");
    let (csv, _) = place.run(&["journal", "export", "--format", "csv"], 0);
    assert!(
        csv.starts_with("id,video,start,end,at,until,sense,text,labels,cast\n")
            && csv.contains("2026-11-23T00:00:00.000+00:00"),
        "{csv}"
    );
    let (ics, _) = place.run(&["journal", "export", "--format", "ics"], 0);
    place.run(
        &["journal", "export", "--clips", "clips", "--thumbnails", "pics", "--of", "days/one.mp4", "--sense", "seen"],
        0,
    );
    let files = |folder: &str| {
        fs::read_dir(place.path(folder)).expect("listed").flatten().map(|file| file.path()).collect::<Vec<_>>()
    };
    let (clips, pictures) = (files("clips"), files("pics"));
    assert!(!clips.is_empty() && clips.len() == pictures.len(), "{clips:?} {pictures:?}");
    assert!(fs::read(&pictures[0]).expect("read").starts_with(&[0xff, 0xd8]), "a JPEG file");
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]).arg(&clips[0]).assert().success();
    place.run(&["journal", "forget", "days/one.mp4"], 0);
    assert!(files("clips").is_empty() && files("pics").is_empty(), "forgetting reaches what was exported");
    assert!(ics.contains("DTSTART:20261123T000000Z\r\n") && ics.ends_with("END:VCALENDAR\r\n"), "{ics}");
}

#[test]
fn questions_are_answered_from_the_journal() {
    let place = Place::new();
    place.cut("days/walk_2026-11-23.mp4", 40);
    // the first question looks at the videos, the second one does not
    let first = place.json(&["ask", "days", "How many times did I cook soup?"]);
    assert_eq!(first["answer"], "Once.", "{first}");
    assert!(first["evidence"][0]["video"].as_str().is_some_and(|video| video.ends_with("days/one.mp4")), "{first}");
    fs::rename(place.path("days"), place.path("gone")).expect("moved");
    let second = place.json(&["ask", "--journal", "How many times did I ride a bike?"]);
    assert_eq!(second["answer"], "Once.", "{second}");
    let evidence = &second["evidence"][0];
    assert!(evidence["video"].as_str().is_some_and(|video| video.ends_with("walk_2026-11-23.mp4")), "{second}");
    assert_eq!(evidence["at"], "Mon 2026-11-23 00:00:02", "{second}");
    let before = place.json(&["ask", "--journal", "How many times did I ride a bike?", "--as-of", "2026-11-22"]);
    assert_ne!(before["answer"], "Once.", "{before}");
    let day = place.json(&["ask", "--journal", "Did I ride a bike yesterday?", "--now", "2026-11-24T12:00"]);
    assert!(day["answer"].as_str().is_some_and(|answer| answer.starts_with("Yes")), "{day}");
    let day = place.json(&["ask", "--journal", "Did I ride a bike yesterday?", "--now", "2026-11-26T12:00"]);
    assert!(!day["answer"].as_str().is_some_and(|answer| answer.starts_with("Yes")), "{day}");

    // a correction counts
    let lines = place.json(&["search", "riding"]);
    let lines = lines.as_array().expect("hits");
    assert!(!lines.is_empty());
    let all = place.json(&["journal", "show", "--sense", "done"]);
    let ride = all.as_array().expect("lines").iter().find(|line| line["text"] == "riding a bike").expect("the ride");
    place.run(&["journal", "correct", &ride["id"].to_string(), "riding a horse"], 0);
    let corrected = place.json(&["ask", "--journal", "How many times did I ride a horse?"]);
    assert_eq!(corrected["answer"], "Once.", "{corrected}");
}

#[test]
fn a_question_leans_on_the_one_before() {
    let place = Place::new();
    place.cut("days/two.mp4", 40);
    let ask = |args: &[&str], questions: &str| {
        let output = place.command().args(args).write_stdin(questions).output().expect("it ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, err) =
        ask(&["ask", "days", "--json"], "How many times did I ride a bike?\n\nAnd when?\nWhat was I told to do?");
    assert_eq!(code, Some(0), "{out}{err}");
    let answers: Vec<Json> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), 3, "{out}");
    assert_eq!(answers[0]["answer"], "Once.");
    assert_eq!(answers[1]["value"]["question"], "When did I ride a bike?", "{out}");
    assert_eq!(answers[1]["evidence"], answers[0]["evidence"], "{out}");
    assert_eq!(answers[2]["value"]["question"], "What was I told to do?");

    let (code, out, _) = ask(&["ask", "--journal", "--fail-on-abstain"], "What colour was the spaceship?\n");
    assert_eq!((code, out.trim()), (Some(6), "I don't know."));
    let (code, _, err) = ask(&["ask"], "");
    assert!(code == Some(2) && err.contains("elenchus ask day.mp4"), "{err}");
    let (code, _, err) = ask(&["ask", "days", "--journal", "Where?"], "");
    assert!(code == Some(2) && err.contains("beside --journal"), "{err}");
}

#[test]
fn a_forgotten_video_leaves_no_trace() {
    let place = Place::new();
    place.cut("days/two.mp4", 48);
    place.run(&["index", "days"], 0);
    place.run(&["ask", "days/one.mp4", "What was I told to do?", "--record", "run.jsonl"], 0);
    let digest =
        place.json(&["journal", "show", "--of", "days/one.mp4"])[0]["digest"].as_str().expect("a digest").to_owned();
    assert!(place.holding("go to the hallway").len() >= 2 && !place.holding(&digest).is_empty());
    let receipt = place.json(&["journal", "forget", "days/one.mp4"]);
    assert!(receipt["lines"].as_u64() > Some(2) && receipt["exchanges"].as_u64() > Some(50), "{receipt}");
    assert_eq!(receipt["files"].as_array().map(Vec::len), Some(1), "{receipt}");
    assert_eq!(place.holding("go to the hallway"), Vec::<PathBuf>::new());
    // the notes of the digests of files hold neither names nor content of the video
    let left: Vec<PathBuf> =
        place.holding(&digest).into_iter().filter(|file| !file.starts_with(place.path("cache/digests"))).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
    assert!(!place.texts(&["journal", "show"]).is_empty(), "the other video stays");
    let (_, err) = place.run(&["journal", "forget", "nothing.mp4"], 3);
    assert!(err.contains("journal stat"), "{err}");

    // a spoken name
    let texts = place.texts(&["journal", "show", "--sense", "heard"]);
    assert!(texts.iter().any(|text| text.contains("oscar")), "{texts:?}");
    let receipt = place.json(&["journal", "forget", "--word", "Oscar"]);
    assert_eq!(receipt["lines"], 1, "{receipt}");
    assert_eq!(place.holding("i am oscar"), Vec::<PathBuf>::new());
    // indexing again brings a forgotten video back, because its file is still there
    place.run(&["index", "days/one.mp4"], 0);
    assert!(place.texts(&["search", "hallway"]).len() == 1);
}

/// The index of frames, and the bytes of the vector of the frame of a medium at its start.
fn vector_of(place: &Place, digest: &str) -> (PathBuf, Vec<u8>) {
    let files = fs::read_dir(place.path("data/journal/vectors")).expect("listed").flatten().map(|entry| entry.path());
    let file = files.filter(|file| file.extension().is_some_and(|ending| ending == "sqlite")).min().expect("an index");
    let base = rusqlite::Connection::open(&file).expect("opened");
    let find =
        "SELECT e.id, b.ids, b.vectors FROM entries e JOIN media m ON m.id = e.medium JOIN blocks b ON b.id = e.block
         WHERE m.digest = ?1 ORDER BY start_s LIMIT 1";
    let read =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Vec<u8>>(2)?));
    let (id, ids, vectors) = base.query_row(find, [digest], read).expect("a vector");
    let row = ids.chunks(16).position(|pair| pair[..8] == id.to_le_bytes()).expect("its row");
    let width = vectors.len() / (ids.len() / 16);
    (file, vectors[row * width..(row + 1) * width].to_vec())
}

/// The files below the folder with exactly these bytes in them.
fn with_bytes(place: &Place, bytes: &[u8]) -> usize {
    place
        .files()
        .iter()
        .filter(|file| fs::read(file).expect("read").windows(bytes.len()).any(|part| part == bytes))
        .count()
}

#[test]
fn frames_are_found_by_what_they_show_and_forgotten_with_their_video() {
    let place = Place::new();
    place.cut("more/one.mp4", 40);
    place.run(&["index", "days", "more"], 0);
    // a text that no line has, and that only pictures answer
    let hits = place.json(&["search", "stirring a pot on the stove", "--top", "3"]);
    let why = hits[0]["why"].to_string();
    assert!(why.contains("frame at") && hits[0]["id"].is_i64(), "{hits}");
    assert!(
        place.json(&["search", "stirring a pot on the stove", "--words-only"]).as_array().is_some_and(Vec::is_empty)
    );
    // files of one name are told apart
    let (out, _) = place.run(&["search", "kitchen cooking street"], 0);
    assert!(out.contains(" days/one.mp4 ") || out.contains(" more/one.mp4 "), "{out}");
    let digest =
        place.json(&["journal", "show", "--of", "days/one.mp4"])[0]["digest"].as_str().expect("a digest").to_owned();
    let (file, vector) = vector_of(&place, &digest);
    assert!(with_bytes(&place, &vector) > 0);
    let receipt = place.json(&["journal", "forget", "days/one.mp4"]);
    assert!(receipt["vectors"].as_u64() >= Some(10), "{receipt}");
    assert_eq!(with_bytes(&place, &vector), 0);
    assert_eq!(place.json(&["journal", "stat"])["vectors"][0]["count"].as_u64().map(|count| count >= 10), Some(true));
    // a damaged index is computed again
    fs::write(&file, b"no database".repeat(5000)).expect("written");
    place.json(&["search", "kitchen"]);
    let healed = place.json(&["index", "more"]);
    assert!(healed["known"] == 1 && healed["vectors"].as_u64() >= Some(10), "{healed}");
}

#[test]
fn a_killed_index_heals() {
    let place = Place::new();
    for wait in [150, 400, 700, 1100] {
        // a process that is still there after this time is killed
        let killed = place.command().args(["index", "days", "-q"]).timeout(Duration::from_millis(wait)).output();
        assert!(killed.is_ok());
    }
    place.run(&["index", "days"], 0);
    let stat = place.json(&["journal", "stat"]);
    assert_eq!(stat["vectors"][0]["count"], 10, "{stat}");
    assert_eq!(stat["media"][0]["senses"].as_array().map(Vec::len), Some(3), "{stat}");
    assert_eq!(place.json(&["index", "days"])["vectors"], 0);
}

#[test]
fn excluded_parts_reach_no_model() {
    let place = Place::new();
    place.run(&["index", "days/one.mp4", "--exclude", "0:00-0:05"], 0);
    let lines = place.json(&["journal", "show"]);
    let lines = lines.as_array().expect("lines");
    assert!(lines.iter().any(|line| line["sense"] == "seen"), "{lines:?}");
    for line in lines {
        assert!(line["start"].as_f64() >= Some(5.0), "{line}");
        assert_ne!(line["sense"], "heard", "the sentence lies in the excluded part: {line}");
    }
    assert_eq!(place.json(&["journal", "stat"])["vectors"][0]["count"], 5, "excluded frames have no vectors");
    // what was withheld stays withheld, until another command withholds something else
    place.run(&["index", "days", "--fresh"], 0);
    assert!(place.texts(&["journal", "show", "--sense", "heard"]).is_empty());
    place.run(&["index", "days/one.mp4", "--mute"], 0);
    assert!(place.texts(&["journal", "show", "--sense", "heard"]).is_empty());
    let starts = place.json(&["journal", "show", "--sense", "seen"]);
    assert_eq!(starts[0]["start"].as_f64(), Some(0.0), "{starts}");
    let back = place.json(&["index", "days/one.mp4", "--exclude", "0:00-0:05"]);
    assert_eq!(back["added"], 1, "other lines were the current ones: {back}");
    let starts = place.json(&["journal", "show", "--sense", "seen"]);
    assert!(starts[0]["start"].as_f64() >= Some(5.0), "{starts}");
    let (_, err) = place.run(&["index", "days/one.mp4", "--exclude", "5-1"], 2);
    assert!(err.contains("10:00-10:30"), "{err}");
}

#[test]
fn times_of_a_recording_come_from_the_user_the_container_or_the_name() {
    let place = Place::new();
    let at = |args: &[&str]| {
        place.run(&[&["index", "days/one.mp4"], args].concat(), 0);
        place.json(&["journal", "show"])[0]["at"].clone()
    };
    assert_eq!(at(&[]), Json::Null);
    assert_eq!(at(&["--starts-at", "2026-07-01T09:15", "--tz", "Europe/Berlin"]), "2026-07-01T09:15:00.000+02:00");
    assert_eq!(at(&["--starts-at", "2026-01-01T09:15:00Z", "--tz", "Asia/Tokyo"]), "2026-01-01T18:15:00.000+09:00");
    // an earlier statement stays
    assert_eq!(at(&[]), "2026-01-01T18:15:00.000+09:00");
    let (_, err) = place.run(&["index", "days/one.mp4", "--starts-at", "soon"], 2);
    assert!(err.contains("2026-11-23T09:15"), "{err}");
    let (_, err) = place.run(&["index", "days/one.mp4", "--tz", "Mars"], 2);
    assert!(err.contains("Europe/Berlin"), "{err}");
    place.cut("days/two.mp4", 40);
    let (_, err) = place.run(&["index", "days", "--starts-at", "2026-01-01"], 2);
    assert!(err.contains("one video"), "{err}");
}

#[test]
fn a_journal_that_cannot_be_used_gives_one_clear_line() {
    let place = Place::new();
    let check = |args: &[&str], code: i32, expected: &str| {
        let (_, err) = place.run(args, code);
        assert!(err.contains(expected), "{args:?}: {err}");
    };
    check(&["journal", "show", "--of", "days/one.mp4"], 3, "elenchus index");
    check(&["search", "..."], 2, "no word");
    check(&["index", "none"], 3, "no such file");
    check(&["index", "days/one.mp4", "--dialogue", "transcript"], 2, "journal");
    fs::create_dir_all(place.path("data/journal")).expect("made");
    fs::write(place.path("data/journal/journal.sqlite"), b"no database".repeat(500)).expect("written");
    check(&["search", "keys"], 1, "is damaged");
    check(&["index", "days/one.mp4"], 1, "is damaged");
    fs::remove_file(place.path("data/journal/journal.sqlite")).expect("removed");
    place.run(&["index", "days/one.mp4"], 0);
    let base = rusqlite_version(&place.path("data/journal/journal.sqlite"));
    assert_eq!(base, 1);
    // a moved video is known, a replaced one is new, and both are said
    fs::rename(place.path("days/one.mp4"), place.path("days/moved.mp4")).expect("moved");
    let known = place.json(&["index", "days/moved.mp4"]);
    assert_eq!(known["known"], 1);
    assert!(
        place.json(&["journal", "stat"])["media"][0]["path"].as_str().is_some_and(|path| path.ends_with("moved.mp4"))
    );
    place.cut("days/moved.mp4", 40);
    let (_, err) = place.run(&["index", "days/moved.mp4"], 0);
    assert!(err.contains("was replaced"), "{err}");
}

/// The format of a journal.
fn rusqlite_version(file: &Path) -> i64 {
    // SQLite keeps `user_version` in the bytes 60 to 63 of the file, and newer pages in the log until it is copied
    let bytes = fs::read(file).expect("read");
    i64::from(u32::from_be_bytes(bytes[60..64].try_into().expect("four bytes")))
}

#[test]
fn two_processes_index_at_once() {
    let place = Place::new();
    place.cut("days/two.mp4", 40);
    let index = |file: &'static str| {
        let place = &place;
        move || {
            place.run(&["index", file], 0);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(index("days/one.mp4"));
        scope.spawn(index("days/two.mp4"));
        scope.spawn(index("days/one.mp4"));
    });
    assert_eq!(place.json(&["journal", "stat"])["media"].as_array().map(Vec::len), Some(2));
    let texts = place.texts(&["journal", "show", "--of", "days/one.mp4", "--sense", "heard"]);
    assert_eq!(texts.len(), 1, "{texts:?}");
}

/// `tests/journal-1` was written by the first version that had a journal (format 1), with one correction.
#[test]
fn a_journal_of_the_first_format_is_read_and_continued() {
    let place = Place::new();
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journal-1/journal.sqlite");
    fs::create_dir_all(place.path("data/journal")).expect("made");
    fs::copy(old, place.path("data/journal/journal.sqlite")).expect("copied");
    let lines = [
        "kitchen. Seen: watch.",
        "cooking stew",
        "please go to the hallway and look for ben.",
        "bathroom. Seen: suitcase, cheese.",
    ];
    let shown = place.texts(&["journal", "show"]);
    assert!(lines.iter().all(|line| shown.contains(&(*line).to_owned())), "{shown:?}");
    assert_eq!(place.json(&["journal", "show", "--all"]).as_array().map(Vec::len), Some(6));
    assert_eq!(place.texts(&["search", "stew"]), ["cooking stew"]);
    let asked = place.json(&["ask", "--journal", "How many times did I cook stew?"]);
    assert_eq!(asked["answer"], "Once.", "{asked}");
    place.cut("days/two.mp4", 40);
    place.run(&["index", "days/two.mp4"], 0);
    assert_eq!(place.json(&["journal", "stat"])["media"].as_array().map(Vec::len), Some(2));
    place.run(&["journal", "forget", "--word", "stew"], 0);
    assert_eq!(place.holding("stew"), Vec::<PathBuf>::new());
}

#[test]
fn denied_places_and_names_are_written_nowhere() {
    let place = Place::new();
    let list = place.json(&["journal", "deny", "--place", "Bathroom", "--name", "Ben"]);
    assert_eq!(list, serde_json::json!({ "places": ["bathroom"], "names": ["ben"] }));
    let (_, err) = place.run(&["index", "days/one.mp4"], 0);
    assert!(err.contains("3 lines left out"), "{err}");
    let texts = place.texts(&["journal", "show"]);
    assert!(texts.iter().any(|text| text.starts_with("kitchen")), "{texts:?}");
    assert_eq!(place.holding("look for ben"), Vec::<PathBuf>::new());
    assert_eq!(
        place.holding("brushing my teeth").into_iter().filter(|file| file.starts_with(place.path("data"))).count(),
        0
    );
    // off the list again, the video is read again
    place.run(&["journal", "deny", "--name", "ben", "--remove"], 0);
    place.run(&["index", "days/one.mp4", "--fresh"], 0);
    assert!(place.texts(&["journal", "show", "--sense", "heard"])[0].contains("ben"));
    let (_, err) = place.run(&["journal", "deny", "--name", "?!"], 2);
    assert!(err.contains("no word"), "{err}");
}
