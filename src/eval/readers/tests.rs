//! Small made-up folders in the published layouts.

use super::*;
use serde_json::json;

/// A folder with these files. A file without a text is an empty one, such as a video.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temp");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    folder
}

/// Reads a benchmark. `inputs` are those of a dialogue.
fn read(name: &str, at: &tempfile::TempDir, wanted: Wanted) -> Result<Dataset, String> {
    let (benchmark, folder) = named(&format!("{name}:{}", at.path().display())).expect("a benchmark");
    (benchmark.read)(&Wanted { folder, ..wanted }).map_err(|fault| {
        assert!(!fault.message.contains('\n'), "one line: {}", fault.message);
        fault.message.replace(&at.path().display().to_string(), "DIR")
    })
}

fn inputs(names: &[&str]) -> Wanted {
    Wanted { inputs: names.iter().map(|name| (*name).to_owned()).collect(), ..Wanted::default() }
}

/// The names of cases with their right answers and classes.
fn told(dataset: &Dataset, at: &tempfile::TempDir) -> Vec<String> {
    let plain = |text: &str| text.replace(&format!("{}/", at.path().display()), "");
    let one = |case: &Case| format!("{}: {} [{}]", case.id, plain(&case.answers.join(" | ")), case.kinds.join(", "));
    dataset.cases.iter().map(one).collect()
}

fn missing(dataset: &Dataset) -> Option<String> {
    dataset.missing.line(Path::new("DIR"))
}

const INFO: &str = r#"{"info": {"year": "2016"}, "videos": [
  {"category": 9, "url": "x", "video_id": "video7010", "start time": 1.5, "end time": 11.5, "split": "test", "id": 7010},
  {"category": 3, "url": "x", "video_id": "video7011", "start time": 0, "end time": 9, "split": "test", "id": 7011},
  {"category": 3, "url": "x", "video_id": "video7012", "start time": 0, "end time": 9, "split": "test", "id": 7012},
  {"category": 3, "url": "x", "video_id": "video0", "start time": 0, "end time": 9, "split": "train", "id": 0}],
 "sentences": [
  {"caption": "a man sings", "video_id": "video7010", "sen_id": 0}, {"caption": "a dog runs", "video_id": "video7011", "sen_id": 1},
  {"caption": "someone is singing", "video_id": "video7010", "sen_id": 2}, {"caption": "a pet", "video_id": "video7011", "sen_id": 3},
  {"caption": "a car", "video_id": "video7012", "sen_id": 4}, {"caption": "a red car", "video_id": "video7012", "sen_id": 5},
  {"caption": "a train", "video_id": "video0", "sen_id": 6}]}"#;

#[test]
fn msrvtt_ranks_in_both_directions() {
    let at = folder(&[
        ("test_videodatainfo.json", INFO),
        ("TestVideo/video7010.mp4", ""),
        ("TestVideo/video7011.mp4", ""),
        (
            "MSRVTT_JSFUSION_test.csv",
            "key,vid_key,video_id,sentence\nret0,msr7010,video7010,\"a man, singing\"\nret1,msr7011,video7011,a dog\n",
        ),
    ]);
    let full = read("msrvtt", &at, inputs(&["video", "captions"])).expect("read");
    assert_eq!(
        told(&full, &at),
        ["video7010: a man sings | someone is singing [category 9]", "video7011: a dog runs | a pet [category 3]"]
    );
    // the captions of the missing video are candidates too
    assert_eq!(
        full.cases[0].field("captions"),
        Some(&json!(["a man sings", "someone is singing", "a dog runs", "a pet", "a car", "a red car"]))
    );
    assert_eq!(missing(&full).expect("one"), "1 of 3 videos are missing in DIR (video7012.mp4); 1 case is left out");
    assert_eq!((&full.facts["captions_per_video"], &full.facts["split"]), (&json!(2), &json!("full")));
    assert_eq!(full.metrics, ["recall"]);
    let one = Wanted { captions: Some(1), ..inputs(&["video", "captions"]) };
    assert_eq!(read("msrvtt", &at, one).expect("read").facts["candidates"], json!(3));

    let back = read("msrvtt", &at, inputs(&["text", "videos"])).expect("read");
    let told_back = told(&back, &at);
    assert_eq!(told_back[1], "video7010#1: TestVideo/video7010.mp4 [category 9]");
    assert_eq!((told_back.len(), back.cases[0].field("text")), (4, Some(&json!("a man sings"))));
    assert_eq!(back.cases[0].field("videos").and_then(Json::as_array).map(Vec::len), Some(2));
    assert!(missing(&back).expect("one").ends_with("2 cases are left out"));

    let pairs = Wanted { split: Some("1k-A".into()), ..inputs(&["video", "captions"]) };
    let pairs_read = read("msrvtt", &at, pairs.clone()).expect("read");
    assert_eq!(told(&pairs_read, &at), ["video7010: a man, singing []", "video7011: a dog []"]);
    assert_eq!(pairs_read.facts["captions_per_video"], json!(1));
    let all = read("msrvtt", &at, Wanted { captions: Some(2), ..pairs.clone() }).expect("read");
    assert_eq!(told(&all, &at)[0], "video7010: a man sings | someone is singing []");
    assert_eq!(
        read("msrvtt", &at, Wanted { captions: Some(20), ..pairs }).expect_err("too many"),
        "2 videos in DIR/test_videodatainfo.json have fewer than 20 captions (video7010 has 2)"
    );
    let captions = read("msrvtt", &at, inputs(&["video"])).expect("read");
    assert_eq!((&captions.facts["task"], captions.metrics[0]), (&json!("caption"), "cider_d"));
}

#[test]
fn coco_has_two_layouts() {
    let karpathy = r#"{"dataset": "coco", "images": [
      {"filepath": "val2014", "sentids": [1, 2], "filename": "COCO_val2014_000000391895.jpg", "imgid": 0, "split": "test", "cocoid": 391895,
       "sentences": [{"tokens": ["a", "man"], "raw": "A man with a red helmet.", "imgid": 0, "sentid": 1}, {"tokens": [], "raw": "Man riding.", "imgid": 0, "sentid": 2}]},
      {"filepath": "train2014", "sentids": [], "filename": "x.jpg", "imgid": 1, "split": "train", "cocoid": 2, "sentences": [{"raw": "x", "tokens": []}]}]}"#;
    let released = r#"{"info": {}, "licenses": [], "images": [{"id": 42, "file_name": "COCO_val2014_000000000042.jpg", "width": 1, "height": 1}, {"id": 43, "file_name": "b.jpg"}],
      "annotations": [{"image_id": 42, "id": 1, "caption": "A shoe rack"}, {"image_id": 42, "id": 2, "caption": "Shoes"}, {"image_id": 43, "id": 3, "caption": "Gone"}]}"#;
    let at = folder(&[
        ("dataset_coco.json", karpathy),
        ("annotations/captions_val2014.json", released),
        ("val2014/COCO_val2014_000000391895.jpg", ""),
        ("val2014/COCO_val2014_000000000042.jpg", ""),
    ]);
    let test = read("coco", &at, inputs(&["image"])).expect("read");
    assert_eq!(told(&test, &at), ["391895: A man with a red helmet. | Man riding. []"]);
    let val = read("coco", &at, Wanted { split: Some("val2014".into()), ..Wanted::default() }).expect("read");
    assert_eq!(told(&val, &at), ["42: A shoe rack | Shoes []"]);
    assert_eq!(missing(&val).expect("one"), "1 of 2 images are missing in DIR (val2014/b.jpg); 1 case is left out");
    assert_eq!(
        read("coco", &at, Wanted { split: Some("train".into()), ..Wanted::default() }).expect_err("no picture"),
        "nothing to evaluate: 1 of 1 images are missing in DIR (train2014/x.jpg); 1 case is left out"
    );
}

#[test]
fn concadia_has_two_tasks() {
    let text = |raw: &str| json!({ "raw": raw, "tokens": [raw] });
    let image = |file: &str, split: &str| {
        json!({ "article_id": "A", "filename": file, "orig_filename": "o.jpg", "split": split,
            "description": text("a bridge at night"), "caption": text("The bridge in 1901"), "context": text("It was built.") })
    };
    let split = json!({ "images": [image("1.jpg", "test"), image("2.jpg", "train")] }).to_string();
    let at = folder(&[("wiki_split.json", &split), ("resized/1.jpg", "")]);
    let caption = read("concadia", &at, Wanted::default()).expect("read");
    assert_eq!(told(&caption, &at), ["1.jpg: The bridge in 1901 []"]);
    assert_eq!(caption.cases[0].field("context"), Some(&json!("It was built.")));
    let described = Wanted { task: Some("description".into()), ..Wanted::default() };
    assert_eq!(told(&read("concadia", &at, described).expect("read"), &at), ["1.jpg: a bridge at night []"]);
    let other = Wanted { task: Some("summary".into()), ..Wanted::default() };
    assert_eq!(
        read("concadia", &at, other).expect_err("no such task"),
        "--task summary: expected caption, description"
    );
}

#[test]
fn egoschema_has_public_answers_for_a_part() {
    let question = |id: &str| {
        json!({ "q_uid": id, "google_drive_id": "x", "question": "Why?", "option 0": "a", "option 1": "b", "option 2": "c",
            "option 3": "d", "option 4": "e" })
    };
    let questions = json!([question("u1"), question("u2"), question("u3")]).to_string();
    let at = folder(&[
        ("questions.json", &questions),
        ("subset_answers.json", r#"{"u1": 3, "u3": "0"}"#),
        ("videos/u1.mp4", ""),
    ]);
    let subset = read("egoschema", &at, Wanted::default()).expect("read");
    assert_eq!(told(&subset, &at), ["u1: d []"]);
    assert_eq!(subset.cases[0].options.len(), 5);
    assert_eq!(missing(&subset).expect("one"), "1 of 2 videos are missing in DIR (u3.mp4); 1 case is left out");
    let full = read("egoschema", &at, Wanted { split: Some("full".into()), ..Wanted::default() });
    assert_eq!(full.expect_err("not public"), "DIR has no answers.json");
}

#[test]
fn nextqa_has_types_and_groups() {
    let at = folder(&[
        (
            "val.csv",
            "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n\
             4010069381,369,640,480,how do they play,0,6,CH,roll,tap,strum,hit,pat\n\
             2834146886,1881,496,370,what does the dog do after,2,8,TP,drink,shake,smell,wag,touch\n\
             1,1,1,1,where is this,1,1,DL,mall,river,pool,room,hill\n",
        ),
        ("map_vid_vidorID.json", r#"{"4010069381": "0101/4010069381"}"#),
        ("NExTVideo/0101/4010069381.mp4", ""),
        ("NExTVideo/2834146886.mp4", ""),
    ]);
    let val = read("nextqa", &at, Wanted::default()).expect("read");
    assert_eq!(
        told(&val, &at),
        ["4010069381_6: roll [C (causal), CH (how)]", "2834146886_8: smell [T (temporal), TN (before, after)]"]
    );
    assert_eq!(missing(&val).expect("one"), "1 of 2 videos are missing in DIR (1.mp4); 1 case is left out");
    std::fs::write(at.path().join("test.csv"), "video,question\n1,x\n").expect("written");
    let wrong = read("nextqa", &at, Wanted { split: Some("test".into()), ..Wanted::default() }).expect_err("columns");
    assert!(wrong.starts_with("DIR/test.csv is not as published: "), "{wrong}");
}

#[test]
fn qaego4d_counts_frames() {
    let annotations = r#"[{"video_id": "c1", "sample_id": "s_0", "answer": "on the table", "question": "Where are my keys?",
       "moment_start_frame": 42, "moment_end_frame": 105.0},
      {"video_id": "c2", "sample_id": "s_1", "answer": "two", "question": "How many cups did I see?"}]"#;
    let at = folder(&[("annotations.test.json", annotations), ("v1/clips/c1.mp4", ""), ("v1/clips/c2.mp4", "")]);
    let test = read("qaego4d", &at, Wanted::default()).expect("read");
    assert_eq!(told(&test, &at), ["s_0: on the table [where]", "s_1: two [how many]"]);
    let moment = &test.cases[0].moments.as_ref().expect("known")[0];
    assert!((moment.start - 1.4).abs() < 1e-9 && (moment.end - 3.5).abs() < 1e-9);
    assert_eq!(test.cases[1].moments, None);
}

#[test]
fn egolife_gives_only_earlier_clips() {
    let question = |id: &str, day: &str, time: &str, target: Json| {
        json!({ "ID": id, "query_time": { "date": day, "time": time }, "type": "EntityLog", "need_audio": false, "need_name": true,
            "last_time": false, "trigger": "t", "question": "Who used the screwdriver first?", "choice_a": "Tasha", "choice_b": "Alice",
            "choice_c": "Shure", "choice_d": "Lucia", "answer": "B", "target_time": target, "keywords": "k", "reason": "r" })
    };
    let questions = json!([
        question("1", "DAY1", "11210217", json!({ "date": "DAY1", "time": "11152408" })),
        question("2", "DAY2", "9000000", json!({ "date": "DAY1", "time_list": ["11152408", "11200010"] })),
        question("3", "DAY1", "11150000", json!({ "date": "DAY1", "time": "11100000" })),
    ]);
    let at = folder(&[
        ("EgoLifeQA/EgoLifeQA_A1_JAKE.json", &questions.to_string()),
        ("A1_JAKE/DAY1/DAY1_A1_JAKE_11150000.mp4", ""),
        ("A1_JAKE/DAY1/DAY1_A1_JAKE_11200000.mp4", ""),
        ("A1_JAKE/DAY1/DAY1_A1_JAKE_11210000.mp4", ""),
        ("A1_JAKE/DAY1/notes.txt", ""),
    ]);
    let read_all = read("egolife", &at, Wanted::default()).expect("read");
    assert_eq!(told(&read_all, &at), ["1: Alice [EntityLog]", "2: Alice [EntityLog]"]);
    let clips = |case: &Case| case.field("videos").and_then(Json::as_array).map(Vec::len);
    // the clip that runs when the question is asked is not given
    assert_eq!((clips(&read_all.cases[0]), clips(&read_all.cases[1])), (Some(2), Some(3)));
    let moments = read_all.cases[1].moments.as_ref().expect("known");
    let shown: Vec<(bool, f64)> = moments
        .iter()
        .map(|one| {
            (one.video.as_ref().is_some_and(|video| video.ends_with("11150000.mp4")), (one.start * 1000.0).round())
        })
        .collect();
    assert_eq!(shown, [(true, 24_400.0), (false, 500.0)]);
    assert!(missing(&read_all).expect("one").ends_with("1 case is left out"));
}

#[test]
fn supermemory_withholds_what_comes_later() {
    let choices = ["This question can not be answered.", "by the sink", "in the kitchen", "in the car"];
    let question = |id: u32, types: [&str; 4], answerable: bool, asked: f64| {
        json!({ "question_id": id, "question": "Where is my mug?", "choices": choices, "choice_types": types,
            "correct_answer": "x", "correct_option_index": 1, "is_answerable": answerable, "subject": 1,
            "metadata": { "skill": "object_location_memory", "primary_video_id": "Person_1_session_2", "primary_video_start_time": 2000.0 },
            "video_ids": ["Person_1_session_2", "Person_1_session_1", "Person_1_session_3"],
            "question_evidence": { "time_spans": [{ "start_time": asked, "end_time": asked + 5.0, "video_id": "Person_1_session_2",
                "video_start_time_unix": 2000.0 }] },
            "answer_evidence": { "evidence_list": [{ "video_id": "Person_1_session_1", "start_time": 1000.0,
                "time_span": { "start_time": "01:30", "end_time": 95.5 }, "modalities": ["Video"] }] } })
    };
    let mut third = question(3, ["incorrect", "correct", "vague", "incorrect"], true, 1.0);
    third["metadata"]["primary_video_id"] = json!("Person_1_session_3");
    third["metadata"]["primary_video_start_time"] = json!(9000.0);
    let all = json!([
        question(1, ["incorrect", "correct", "vague", "incorrect"], true, 60.0),
        question(2, ["correct", "incorrect", "incorrect", "incorrect"], false, 60.0),
        third,
    ]);
    let at = folder(&[
        ("data/json/all_qa.json", &all.to_string()),
        ("data/video/Person_1/Person_1_session_1.mp4", ""),
        ("data/video/Person_1/Person_1_session_2.mp4", ""),
    ]);
    let read_all = read("supermemory", &at, Wanted::default()).expect("read");
    assert_eq!(
        told(&read_all, &at)[..2],
        [
            "1: by the sink [object_location_memory]",
            "2: This question can not be answered. [object_location_memory, unanswerable]"
        ]
    );
    let first = &read_all.cases[0];
    let worth: Vec<Worth> = first.options.iter().map(|option| option.worth).collect();
    assert_eq!(worth, [Worth::Unanswerable, Worth::Right, Worth::Vague, Worth::Wrong]);
    // in order of time, and each until the question
    let until: Vec<(bool, f64)> = first.until.iter().map(|(path, end)| (path.contains("session_1"), *end)).collect();
    assert_eq!(until, [(true, 1060.0), (false, 60.0)]);
    let moment = &first.moments.as_ref().expect("known")[0];
    assert_eq!((moment.start, moment.end), (90.0, 95.5));
    assert_eq!(read_all.cases[1].moments, None);
    let other = read("supermemory", &at, Wanted { split: Some("2".into()), ..Wanted::default() });
    assert_eq!(other.expect_err("nobody"), "nothing to evaluate: DIR has no cases");
}

#[test]
fn a_hostile_folder_gives_one_line() {
    let check = |name: &str, files: &[(&str, &str)], expected: &str| {
        let at = folder(files);
        let told = read(name, &at, Wanted::default()).expect_err("refused");
        assert!(told.starts_with(expected), "{told}");
    };
    for benchmark in &BENCHMARKS {
        check(benchmark.name, &[], "DIR has no ");
    }
    check("egoschema", &[("questions.json", "{]")], "DIR/questions.json is not as published: ");
    check("egoschema", &[("questions.json", &"[".repeat(100_000))], "DIR/questions.json is not as published: ");
    check(
        "msrvtt",
        &[("test_videodatainfo.json", &INFO.replace("video7010", "../../etc/passwd"))],
        "an annotation names the file \"../../etc/passwd.mp4\", which is not inside the folder",
    );
    check(
        "coco",
        &[(
            "dataset_coco.json",
            r#"{"images": [{"filename": "/etc/passwd", "split": "test", "sentences": [{"raw": "x"}]}]}"#,
        )],
        "an annotation names the file \"/etc/passwd\"",
    );
    let answers = r#"{"u1": 7}"#;
    let questions = r#"[{"q_uid": "u1", "question": "?", "option 0": "a", "option 1": "b", "option 2": "c", "option 3": "d", "option 4": "e"}]"#;
    check(
        "egoschema",
        &[("questions.json", questions), ("subset_answers.json", answers), ("videos/u1.mp4", "")],
        "the right option of question u1 is number 7 of 5",
    );
    #[cfg(unix)]
    {
        let at = folder(&[("questions.json", "[]")]);
        std::fs::create_dir(at.path().join("subset_answers.json")).expect("made");
        assert_eq!(read("egoschema", &at, Wanted::default()).expect_err("a folder"), "DIR has no subset_answers.json");
    }
}

#[test]
fn every_benchmark_is_described() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/eval.md")).expect("docs/eval.md");
    for benchmark in &BENCHMARKS {
        assert!(page.contains(&format!("\n### {}\n", benchmark.name)), "{}", benchmark.name);
        for repository in benchmark.source.split(", ").map(|one| one.split(' ').next().unwrap_or(one)) {
            assert!(page.contains(repository), "docs/eval.md does not name {repository}");
        }
    }
    for metric in &crate::eval::metrics::METRICS {
        let name = metric.name.split(' ').next().unwrap_or_default();
        assert!(page.contains(&format!("`{name}")), "docs/eval.md does not name {name}");
    }
}
