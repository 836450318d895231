//! Footage that the starter models do not know gives no answers and one warning; sample days in any encoding are known.
//! (`tests/reliability/d16_footage.py` asks more questions of more clips.)

use assert_cmd::Command;
use serde_json::Value as Json;
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

const WARNING: &str = "does not know this kind of footage";
const CLOCK: &str = "comment=clock 07:00, 420 seconds a second";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the program in the repository; gives its JSON and its stderr.
#[track_caller]
fn json(cache: &Path, args: &[&str]) -> (Json, String) {
    let (code, out, err) = run(cache, root(), args);
    assert_eq!(code, Some(0), "{args:?}: {err}");
    (serde_json::from_str(&out).expect("JSON"), err)
}

fn run(cache: &Path, folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    command
        .current_dir(folder)
        .env("ELENCHUS_CACHE", cache)
        .env("ELENCHUS_DATA", cache)
        .env("NO_COLOR", "1")
        .timeout(Duration::from_secs(300));
    let output = command.args(args).output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn ffmpeg(options: &str, more: &[&str], file: &Path) {
    let made = std::process::Command::new("ffmpeg")
        .args("-v error -nostdin -y".split(' ').chain(options.split_whitespace()))
        .args(more)
        .arg(file)
        .current_dir(root())
        .status();
    assert!(made.expect("the tests of media need ffmpeg").success(), "{}", file.display());
}

/// Asks a question of a clip: it is refused, with one warning.
#[track_caller]
fn strange(cache: &Path, clip: &Path, question: &str) {
    let (said, err) = json(cache, &["ask", clip.to_str().expect("UTF-8"), question, "--json"]);
    assert_eq!(said["abstained"], true, "{}: {question} {said}", clip.display());
    assert_eq!(said["evidence"], serde_json::json!([]), "{said}");
    // the first question looks at the clip, later ones find that nothing was seen
    let warnings = err.matches(WARNING).count() + err.matches("has nothing that was seen").count();
    assert_eq!(warnings, 1, "{}: {err}", clip.display());
}

#[test]
fn made_up_footage_answers_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    // each is the same in every run: colours that are not given would be drawn anew, and the eye recognises one such clip in sixty
    let sources = [
        ("testsrc2=s=640x360:r=25", false),
        ("testsrc2=s=320x240:r=15", true),
        ("mandelbrot=s=320x240:r=15", true),
        ("life=s=480x480:mold=10:r=10:ratio=0.3:death_color=#402020:life_color=#e0e0b0", false),
        ("gradients=s=1280x720:r=30:seed=7:c0=teal:c1=orange:n=2", true),
        ("color=c=gray:s=320x240:r=15,noise=alls=40:allf=t:all_seed=7", true),
    ];
    for (number, (source, clock)) in sources.into_iter().enumerate() {
        let clip = folder.path().join(format!("{number}.mp4"));
        let comment: &[&str] = if clock { &["-metadata", CLOCK] } else { &[] };
        ffmpeg(&format!("-f lavfi -t 3 -i {source} -pix_fmt yuv420p"), comment, &clip);
        strange(folder.path(), &clip, "Did I drink coffee?");
    }
}

#[test]
fn a_sample_day_in_another_encoding_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let looks = ["-vf scale=240:180,eq=brightness=-0.1 -crf 30", "-vf scale=640:480 -r 10 -crf 28"];
    for (number, look) in looks.into_iter().enumerate() {
        let clip = folder.path().join(format!("{number}.mp4"));
        ffmpeg(&format!("-t 40 -i examples/media/day1.mp4 -map_metadata -1 {look}"), &[], &clip);
        let asked = ["ask", clip.to_str().expect("UTF-8"), "What was I doing at 00:21?", "--json"];
        let (said, err) = json(folder.path(), &asked);
        assert_eq!(said["answer"], "Folding the laundry.", "{look}: {said}");
        assert!(!err.contains(WARNING), "{look}: {err}");
    }
}

#[test]
fn questions_off_the_world_are_refused() {
    let cache = tempfile::tempdir().expect("a folder");
    let ask = |question: &str| {
        let question = format!("question={question}");
        json(cache.path(), &["run", "log_qa", "-i", "log=@examples/media/day1.log.jsonl", "-i", &question, "--json"]).0
    };
    for question in
        ["What is the capital of France?", "asdf qwer zxcv", "?", "最後に鍵を見たのはどこですか?", "And before that?"]
    {
        let said = ask(question);
        assert_eq!(said["abstained"], true, "{question}: {said}");
    }
    assert_eq!(ask("Where did I last see the keys?")["answer"], "In the cafe.");
}

/// The clips beside the repository. Without them a test says on stderr that it is skipped: the harness hides what it
/// prints.
fn beside() -> Option<PathBuf> {
    let folders = [root().join("../shared/media"), root().join("../../shared/media")];
    let found = folders.into_iter().find(|folder| folder.join("people.mp4").exists());
    if found.is_none() {
        let notice = "notice: ../shared/media is not here; the test of real clips is skipped";
        writeln!(std::io::stderr(), "{notice}").expect("stderr");
    }
    found
}

#[test]
fn real_footage_answers_nothing() {
    let Some(clips) = beside() else { return };
    let cache = tempfile::tempdir().expect("a folder");
    for name in ["people.mp4", "bottles.mp4", "sign-book.mkv"] {
        // 6 seconds of it in the form of a sample day: size, rate and clock
        let clip = cache.path().join(name).with_extension("mp4");
        let look = "-vf scale=320:240:force_original_aspect_ratio=increase,crop=320:240 -r 15 -an -t 6";
        ffmpeg(&format!("-i {} {look}", clips.join(name).display()), &["-metadata", CLOCK], &clip);
        for question in ["Did I drink coffee?", "Where was I at 00:02?", "How many people were there?"] {
            strange(cache.path(), &clip, question);
        }
        let path = format!("video={}", clip.display());
        for (dialogue, nothing) in
            [("place", Json::from("unknown place")), ("activity", Json::Null), ("summary", Json::Null)]
        {
            let (said, _) = json(cache.path(), &["run", dialogue, "-i", &path, "--json"]);
            assert_eq!(said["value"], nothing, "{name}: {dialogue} {said}");
        }
    }
}

#[test]
fn real_speech_gives_no_invented_sentence() {
    let Some(clips) = beside() else { return };
    let cache = tempfile::tempdir().expect("a folder");
    let sound = format!("video={}", clips.join("jfk.flac").display());
    let (said, _) = json(cache.path(), &["run", "transcribe", "-i", &sound, "--json"]);
    assert_eq!(said["answer"], "", "{said}");
}

/// A dialogue that names the place at some seconds, with floors.
const PLACES: &str = "version: 1\ndialogue: places\ninputs: { video: video, at: list of number }\ncast: { eye: EYE }\nsteps:\n  \
                      moments: { frames: { video: \"{{ video }}\", at: \"{{ at }}\" } }\n  place:\n    each: moments\n    rank: { \
                      agent: eye, what: \"{{ item }}\", among: [kitchen, street, gym, cafe, bathroom, library, hallway, \
                      bedroom], as: \"a photo of a {}\", top: 1, floor: true }\nanswer: \"{{ place }}\"\n";

#[test]
fn known_labels_exceed_their_floors_and_test_patterns_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let dialogue = folder.path().join("places.yaml");
    std::fs::write(&dialogue, PLACES.replace("EYE", "starter-clip")).expect("written");
    let pattern = folder.path().join("pattern.mp4");
    ffmpeg("-f lavfi -t 8 -i testsrc2=s=320x240:r=15", &[], &pattern);
    let kept = |video: &str, at: &[f64]| -> Vec<Option<String>> {
        let (video, at) = (format!("video={video}"), format!("at={at:?}"));
        let (said, _) =
            json(folder.path(), &["run", dialogue.to_str().expect("UTF-8"), "-i", &video, "-i", &at, "--json"]);
        let moments = said["value"].as_array().expect("a list of lists").clone();
        moments.iter().map(|kept| kept[0]["text"].as_str().map(str::to_owned)).collect()
    };
    // the day's own segments in these places
    let log = std::fs::read_to_string(root().join("examples/media/day1.log.jsonl")).expect("a gold log");
    let entries: Vec<Json> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let known = |entry: &&Json| PLACES.contains(entry["place"].as_str().expect("a place"));
    let (mut at, mut gold) = (Vec::new(), Vec::new());
    for entry in entries.iter().filter(known) {
        let second = |name: &str| entry[name].as_f64().expect("seconds");
        at.push((second("start") + second("end")) / 2.0);
        gold.push(entry["place"].as_str().map(str::to_owned));
    }
    let found = kept("examples/media/day1.mp4", &at);
    let right = found.iter().zip(&gold).filter(|(found, gold)| found == gold).count();
    assert!(gold.len() >= 6 && right + 1 >= gold.len(), "{found:?} {gold:?}");
    assert_eq!(kept(pattern.to_str().expect("UTF-8"), &[1.0, 3.0, 5.0, 7.0]), vec![None; 4]);
}

#[test]
fn an_agent_without_background_vectors_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let (weights, agents) = (folder.path().join("clip"), folder.path().join("agents"));
    std::fs::create_dir(&weights).and_then(|()| std::fs::create_dir(&agents)).expect("folders");
    for file in std::fs::read_dir(root().join("agents/starter/clip")).expect("the starter eye").flatten() {
        if file.file_name() != "background.safetensors" {
            std::fs::copy(file.path(), weights.join(file.file_name())).expect("copied");
        }
    }
    std::fs::write(agents.join("blind.yaml"), "model: { path: ../clip }\n").expect("written");
    std::fs::write(folder.path().join("places.yaml"), PLACES.replace("EYE", "blind")).expect("written");
    let day = format!("video={}", root().join("examples/media/day1.mp4").display());
    let args = ["run", "places.yaml", "-i", &day, "-i", "at=[1]", "--trust"];
    let cache = tempfile::tempdir().expect("a folder");
    let (code, out, err) = run(cache.path(), folder.path(), &args);
    assert_eq!((code, out.as_str()), (Some(4), ""), "{err}");
    let errors: Vec<&str> = err.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(errors.len(), 1, "{err}");
    assert!(errors[0].contains("blind") && errors[0].contains("the model lacks background vectors"), "{err}");
    assert!(err.contains("elenchus calibrate blind"), "{err}");
    // with optional floors it runs and keeps its best label
    let optional = PLACES.replace("EYE", "blind").replace("floor: true", "floor: optional");
    std::fs::write(folder.path().join("places.yaml"), optional).expect("written");
    let (code, out, err) = run(cache.path(), folder.path(), &args);
    assert_eq!((code, out.as_str()), (Some(0), "kitchen\n"), "{err}");
}
