//! Tests of the times of words.

use super::*;

#[tokio::test]
async fn words_belong_to_their_segments() {
    let segments = json!([{"start": 0, "end": 1, "text": "we need"}, {"start": 1, "end": 2, "text": "milk."}]);
    let word = |word: &str, start: f64, end: f64| json!({ "word": word, "start": start, "end": end });
    let words = json!([word(" we", 0.0, 0.4), word("need", 0.4, 1.1), word("milk.", 1.2, 1.9)]);
    let body = json!({"text": "we need milk.", "language": "German", "segments": segments, "words": words});
    let with_words = server("/v1/audio/transcriptions", ResponseTemplate::new(200).set_body_json(&body)).await;
    let hear = HearRequest {
        audio: recording(4.0),
        start: None,
        end: None,
        language: None,
        timestamps: true,
        words: true,
        decoding: Decoding::default(),
    };
    let request = Request::Hear(hear);
    let reply = agent(&with_words).ask(request.clone(), asking(0)).await.expect("a reply");
    assert_eq!(request.fits(&reply), Ok(()));
    let Reply::Hear(heard) = reply else { panic!("not speech") };
    let words: Vec<Vec<&str>> =
        heard.iter().map(|segment| segment.words.iter().map(|word| word.text.as_str()).collect()).collect();
    assert_eq!(words, [vec!["we", "need"], vec!["milk."]]);
    assert_eq!(heard[1].words[0].start.seconds(), 3.2);
    assert_eq!(heard[0].language.as_deref(), Some("de"));
    let requests = with_words.received_requests().await.expect("recorded");
    let form = String::from_utf8_lossy(&requests[0].body).into_owned();
    assert!(form.contains("name=\"timestamp_granularities[]\"\r\n\r\nword"), "{form}");
    // a server that knows no words
    let without =
        server("/v1/audio/transcriptions", ResponseTemplate::new(200).set_body_json(json!({"text": "milk"}))).await;
    let reply = agent(&without).ask(request.clone(), asking(0)).await.expect("a reply");
    let why = request.fits(&reply).expect_err("no words");
    assert_eq!(why, "found speech without the times of its words, which the request asks for");
}
