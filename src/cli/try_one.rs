//! `elenchus try`: asks one agent or checkpoint.

use super::{
    Exit, boxes,
    decoding::DecodingFlags,
    out::Out,
    progress::Bars,
    session::{block_on, listener, unless},
    settings::{Settings, report},
    try_given::{frames, labels, purpose, schema, share},
    try_reply::{SHOWN_LABELS, as_json, as_text, moved},
    try_several::ask_several,
};
use crate::{
    agent::{
        self, Agent, CallContext,
        local::{LocalAgent, LocalSpec},
        roster,
        spec::{self, Spec},
    },
    dialogue::Resource,
    error::{Fault, FaultKind},
    exchange::{
        DetectRequest, EmbedPurpose, EmbedRequest, FloorUse, HearRequest, Item, Kind, LabelList, MAX_OVERLAP,
        MIN_SCORE, Message, RankRequest, Reply, Request, SayRequest,
    },
    grammar::Unfit,
    hub::Catalogue,
    media,
    session::{Engine, unready},
    value::Moment,
};

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The arguments of `try`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "\
Examples:
  elenchus try --model DIR --image a.png --among labels.txt --template \"a photo of a {}\" --json
  elenchus try --model efficientnet-lite0 --image a.png
  elenchus try --model DIR --prompt \"Once upon a time\" --raw --max-tokens 16 --temperature 0 --json
  elenchus try --model smollm2-Q8_0.gguf --prompt \"Hello\"
  elenchus try --model DIR --prompt \"Is it raining?\" --choices yes,no --json
  elenchus try --model DIR --prompt \"Describe a cat.\" --schema schema.json --json
  elenchus try --model DIR --prompt \"When does it open?\" --regex \"[0-9]{2}:[0-9]{2}\"
  elenchus try starter-whisper --audio a.wav --language en
  elenchus try --model DIR --audio a.wav --words --json
  elenchus try --model DIR --audio a.wav --among \"dog,rain,doorbell\" --json
  elenchus try --model DIR --text \"a red mug\" --embed --json
  elenchus try --model DIR --image a.png --prompt \"What is on the table?\" --json
  elenchus try --model DIR --video a.mp4 --prompt \"What happens?\"
  elenchus try --model DIR --image a.png --detect \"a cup,a key\" --draw found.png --json

The models of the starter cast know only their small sample world. starter-lm completes the prompts that `elenchus list prompts` \
shows, and its replies to other prompts make no sense. Use a larger model for your own prompts.",
    group(clap::ArgGroup::new("who").required(true).args(["agent", "model"])),
    group(clap::ArgGroup::new("labels").args(["among", "detect"])),
    group(clap::ArgGroup::new("input").required(true).multiple(true).args(["image", "video", "prompt", "audio", "text"]))
)]
pub(crate) struct Args {
    /// An agent: agents/NAME.yaml
    agent: Option<String>,
    /// A checkpoint folder of a supported family, or a .gguf file of a Llama-type language model: a path, or a name in
    /// your folder of models (ELENCHUS_MODELS)
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,

    /// Rank or embed this image, find things in it with --detect, or look at it with --prompt (several: repeat it); without these,
    /// print the labels that the model has of its own
    #[arg(long, value_name = "FILE", value_parser = super::common::medium(), conflicts_with_all = ["audio", "text"])]
    image: Vec<String>,
    /// Look at frames of this video with --prompt: two in a second; of a longer video 64, spread over all of it
    #[arg(long, value_name = "FILE", value_parser = super::common::medium(), conflicts_with_all = ["image", "audio", "text"], requires = "prompt")]
    video: Option<String>,
    /// Complete this prompt, or answer it about the images or the video
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["audio", "text"])]
    prompt: Option<String>,
    /// Transcribe this sound, or the sound of this video; rank it with --among, or embed it with --embed
    #[arg(long, value_name = "FILE", value_parser = super::common::medium(), conflicts_with = "text")]
    audio: Option<String>,
    /// Rank or embed this text; without --among and --embed, print the labels that the model has of its own
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,

    /// Score these labels: a file with one a line, or a list separated by commas
    #[arg(long, value_name = "LABELS", conflicts_with_all = ["prompt", "embed"])]
    among: Option<String>,
    /// Find boxes for these labels in the image: a file with one a line, or a list separated by commas
    #[arg(long, value_name = "LABELS", requires = "image", conflicts_with_all = ["among", "prompt", "embed", "video", "audio", "text"])]
    detect: Option<String>,
    /// Text that the model reads for each label; {} is the label
    #[arg(long, value_name = "TEXT", default_value = "{}", requires = "labels")]
    template: String,
    /// Keep boxes with a score above this, from 0 to 1
    #[arg(long, value_name = "SCORE", default_value_t = MIN_SCORE, requires = "detect", conflicts_with_all = ["among", "prompt", "embed"], value_parser = share)]
    min: f32,
    /// Of two boxes for one label that overlap by more than this (intersection over union), keep the better one
    #[arg(long, value_name = "SHARE", default_value_t = MAX_OVERLAP, requires = "detect", conflicts_with_all = ["among", "prompt", "embed"], value_parser = share)]
    overlap: f32,
    /// Write the image with its boxes to this PNG file
    #[arg(long, value_name = "FILE", requires = "detect")]
    draw: Option<PathBuf>,
    /// Print the embedding (unit length)
    #[arg(long, conflicts_with = "prompt")]
    embed: bool,
    /// What --text is embedded for: some models read a query in another way than what it is searched among
    #[arg(long = "as", value_name = "PURPOSE", requires = "embed", value_parser = purpose())]
    purpose: Option<EmbedPurpose>,

    /// Do not apply the chat template; the tokenizer still adds its special tokens
    #[arg(long, requires = "prompt")]
    raw: bool,
    /// Choose the most likely of these replies: a file with one a line, or a list separated by commas
    #[arg(long, value_name = "TEXTS", requires = "prompt")]
    choices: Option<String>,
    /// Divide the log-likelihood of each choice by its number of tokens
    #[arg(long, requires = "choices")]
    normalise: bool,
    /// Reply with JSON that fits this JSON Schema: a file, or a name (schemas/NAME.json)
    #[arg(long, value_name = "FILE", requires = "prompt", conflicts_with_all = ["choices", "regex", "stop"])]
    schema: Option<String>,
    /// Reply with a text that this regular expression matches as a whole
    #[arg(long, value_name = "REGEX", requires = "prompt", conflicts_with_all = ["choices", "stop"])]
    regex: Option<String>,
    /// A system message before the prompt
    #[arg(long, value_name = "TEXT", requires = "prompt", conflicts_with = "raw")]
    system: Option<String>,
    #[command(flatten)]
    decoding: DecodingFlags,
    /// Give this many replies, with the seeds from --seed on
    #[arg(long, value_name = "N", default_value_t = 1, requires = "prompt", value_parser = clap::value_parser!(u64).range(1..=1000))]
    n: u64,
    /// Seed of the sampling
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Spoken language (en, de, …); the model detects it if absent
    #[arg(long, value_name = "CODE", requires = "audio", conflicts_with_all = ["among", "embed"])]
    language: Option<String>,
    /// Do not ask for timestamps: one segment for each window
    #[arg(long, requires = "audio", conflicts_with_all = ["among", "embed"])]
    no_timestamps: bool,
    /// Print each word with its times
    #[arg(long, requires = "audio", conflicts_with_all = ["among", "embed"])]
    words: bool,

    /// Device of the model: auto, cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = super::common::device)]
    device: String,
    /// Number format of the model: auto, f32, f16, bf16 or int8
    #[arg(long, value_name = "DTYPE", default_value = "auto", requires = "model")]
    dtype: String,
    /// Stop after this time (90s, 5m, 1h30m) with exit code 5
    #[arg(long, value_name = "TIME", value_parser = super::common::duration)]
    deadline: Option<Duration>,
    /// Allow sounds by URL, and downloads of missing weights
    #[arg(long)]
    allow_network: bool,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        self.check()?;
        block_on(|cancel| async move {
            let answered = async {
                let request = self.request(settings).await?;
                self.ask(request, out, settings).await
            };
            let late = |limit| Fault::new(FaultKind::Deadline, format!("no answer within {limit:?}"));
            unless(&cancel, async {
                match self.deadline {
                    Some(limit) => tokio::time::timeout(limit, answered).await.unwrap_or_else(|_| Err(late(limit))),
                    None => answered.await,
                }
            })
            .await
        })
    }

    /// Checks rules that clap cannot express.
    fn check(&self) -> Result<(), Fault> {
        if (self.among.is_some() || self.detect.is_some()) && !self.template.contains("{}") {
            return Err(Fault::refused(format!("the template `{}` lacks {{}} for the label", self.template)));
        }
        if let (Some(draw), Some(image)) = (&self.draw, self.image.first()) {
            boxes::check(image, draw)?;
        }
        if self.image.len() > 1 && self.prompt.is_none() {
            let why = format!("found {} images, expected one, or a --prompt about all of them", self.image.len());
            return Err(Fault::refused(why));
        }
        Ok(())
    }

    async fn request(&self, settings: &Settings) -> Result<Request, Fault> {
        let (decoding, access) = (self.decoding.0.clone(), settings.access(self.allow_network));
        if let Some(prompt) = &self.prompt {
            let system = self.system.iter().map(|text| Message::new("system", text));
            let mut images = Vec::new();
            for image in &self.image {
                images.push(Item::Image(media::image_file(image, &access).await?));
            }
            if let Some(video) = &self.video {
                images = frames(video, &access).await?;
            }
            let video = self.video.is_some();
            let messages = system.chain([Message { images, video, ..Message::new("user", prompt) }]).collect();
            let catalogue = self.catalogue(settings)?;
            let choices = self.choices.as_ref().map_or(Ok(Vec::new()), |text| labels("choices", text, &catalogue))?;
            let (raw, normalise, regex) = (self.raw, self.normalise, self.regex.clone());
            let schema = self.schema.as_ref().map(|name| schema(name, &catalogue)).transpose()?;
            let request = SayRequest { raw, decoding, choices, normalise, schema, regex, ..SayRequest::new(messages) };
            if let Some(restriction) = request.restriction() {
                let refused = |unfit: Unfit| {
                    let place =
                        if unfit.path.is_empty() { String::new() } else { format!(" (at {})", unfit.path.join("/")) };
                    let fault = Fault::refused(format!("--{}: {}{place}", restriction.noun(), unfit.message));
                    unfit.hint.into_iter().fold(fault, Fault::hint)
                };
                restriction.check().map_err(refused)?;
            }
            return Ok(Request::Say(request));
        }
        if let Some(audio) = &self.audio {
            let audio = media::open(audio, &access).await?;
            if self.among.is_some() || self.embed {
                let (start, end) = (audio.start, audio.end);
                return self.judge(Item::Sound(Moment { media: audio, start, end, text: None }), settings);
            }
            let (language, timestamps, words) = (self.language.clone(), !self.no_timestamps, self.words);
            let (start, end) = (None, None);
            return Ok(Request::Hear(HearRequest { audio, start, end, language, timestamps, words, decoding }));
        }
        let what = match (self.image.first(), &self.text) {
            (Some(image), _) => Item::Image(media::image_file(image, &access).await?),
            (None, text) => Item::Text(text.clone().unwrap_or_default()),
        };
        if let Some(text) = &self.detect {
            let (among, texts) = self.labels("detect", text, settings)?;
            return Ok(Request::Detect(DetectRequest { what, among, texts, min: self.min, overlap: self.overlap }));
        }
        self.judge(what, settings)
    }

    /// The labels of `--flag`, and their wording.
    fn labels(&self, flag: &str, text: &str, settings: &Settings) -> Result<(LabelList, LabelList), Fault> {
        let labels: LabelList = labels(flag, text, &self.catalogue(settings)?)?.into();
        let texts = labels.worded(&self.template);
        Ok((labels, texts))
    }

    /// The request to embed or to rank an item.
    fn judge(&self, what: Item, settings: &Settings) -> Result<Request, Fault> {
        match &self.among {
            None if self.embed => Ok(Request::Embed(EmbedRequest { purpose: self.purpose, ..EmbedRequest::new(what) })),
            None => {
                let (among, texts) = (LabelList::default(), LabelList::default());
                Ok(Request::Rank(RankRequest { what, among, texts, floor: FloorUse::Unused }))
            }
            Some(text) => {
                let (among, texts) = self.labels("among", text, settings)?;
                Ok(Request::Rank(RankRequest { what, among, texts, floor: FloorUse::Unused }))
            }
        }
    }

    fn catalogue(&self, settings: &Settings) -> Result<Catalogue, Fault> {
        settings.catalogue(Path::new("."), settings.network(self.allow_network))
    }

    async fn load(&self, out: &Out, settings: &Settings) -> Result<Arc<dyn Agent>, Fault> {
        let catalogue = self.catalogue(settings)?;
        let engine = Engine::new(settings.clone());
        let options =
            engine.options(&catalogue, &self.device, &listener(&Arc::new(Bars::new(out)), Default::default()));
        match (&self.agent, &self.model) {
            (Some(name), _) => {
                let loaded = roster::load_one(name, &options).await;
                report(&catalogue.verdicts, out)?;
                if let Some(about) = self.about(name, &catalogue).filter(|_| !out.json) {
                    out.note(format_args!("note: {name}: {about}"));
                }
                loaded.map_err(|e| unready(vec![e]))
            }
            (None, folder) => {
                let given = folder.clone().unwrap_or_default();
                let spec = LocalSpec {
                    name: given.display().to_string(),
                    path: catalogue.resolver().given(&given)?,
                    dtype: Some(self.dtype.clone()),
                    device: Some(self.device.clone()),
                    digests: settings.folders.digests(),
                    vectors: options.vectors.clone(),
                    timings: options.timings.clone(),
                    ..LocalSpec::default()
                };
                Ok(Arc::new(LocalAgent::prepare(spec, options.store.clone()).await?))
            }
        }
    }

    /// The description in the agent's file, if a model of the program is given a prompt that does not begin as one of
    /// the prompt files does: it knows those alone.
    fn about(&self, name: &str, catalogue: &Catalogue) -> Option<String> {
        let prompt = self.prompt.as_ref()?.trim_start();
        let (file, found) = spec::file(name, catalogue).ok()?;
        match Spec::new(name, &file, &found.origin).ok()? {
            Spec::Local(local) if catalogue.resolver().is_in_program(&local.source, &local.origin) => {}
            _ => return None,
        }
        let is_known = |known: &String| {
            let found = catalogue.find(Resource::Prompt, known).ok().flatten();
            let begin = found.as_ref().and_then(|found| found.text.split('{').next()).unwrap_or_default().trim();
            !begin.is_empty() && prompt.starts_with(begin)
        };
        if catalogue.names(Resource::Prompt).iter().any(is_known) {
            return None;
        }
        file.about.clone()
    }

    async fn ask(&self, request: Request, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let agent = self.load(out, settings).await?;
        let card = agent.card();
        if let Request::Rank(rank) = &request
            && rank.wants_own_labels()
            && card.can(Kind::Rank)
            && !card.own_labels
        {
            let why = "the request is missing, and the agent has no labels of its own";
            return Err(Fault::refused(why).hint("add --among LABELS or --embed"));
        }
        let hint = match &request {
            Request::Rank(rank) if rank.wants_own_labels() && card.can(Kind::Detect) => Some("add --detect LABELS"),
            Request::Rank(rank) if rank.wants_own_labels() && card.can(Kind::Look) => Some("add --prompt TEXT"),
            _ => None,
        };
        card.check(&request).map_err(|fault| hint.into_iter().fold(refused(fault), Fault::hint))?;
        agent.ready().await?;
        // Times in a sound file start at 0, whatever its encoder wrote. In a video, times are presentation times.
        let origin_s = match &request {
            Request::Hear(HearRequest { audio, .. }) if !audio.has_video => audio.start.seconds(),
            _ => 0.0,
        };
        let schema = matches!(&request, Request::Say(say) if say.schema.is_some());
        if self.n > 1 {
            return ask_several(&*agent, &request, (self.n, self.seed), schema, out).await;
        }
        let (stream, mut pieces) = tokio::sync::mpsc::unbounded_channel();
        let streams = self.prompt.is_some() && !out.json;
        let asking = CallContext { seed: self.seed, stream: streams.then_some(stream), ..CallContext::default() };
        let answer = agent::ask_alone(&*agent, request, asking);
        tokio::pin!(answer);
        let mut shown = false;
        let reply = loop {
            tokio::select! {
                biased;
                Some(piece) = pieces.recv() => { shown = true; out.piece(&piece)?; }
                reply = &mut answer => break reply.map_err(|fault| failure(&*agent, fault))?,
            }
        };
        while let Ok(piece) = pieces.try_recv() {
            shown = true;
            out.piece(&piece)?;
        }
        if let (Some(file), Reply::Detect(found), Some(image)) = (&self.draw, &reply, self.image.first()) {
            boxes::draw(image, found, file, &settings.access(self.allow_network)).await?;
        }
        let own_labels = self.among.is_none();
        if shown {
            out.piece("\n")?;
        } else if out.json {
            let mut json = as_json(&moved(reply, origin_s), schema);
            if self.words && json["words"].is_null() {
                json["words"] = serde_json::Value::Array(Vec::new()); // silence
            }
            out.value(&json)?;
        } else {
            out.text(as_text(&moved(reply, origin_s), if own_labels { SHOWN_LABELS } else { usize::MAX }))?;
        }
        Ok(Exit::Answered)
    }
}

/// Turns a failure of a local model into a refusal, because the model can never answer such a request.
pub(super) fn failure(agent: &dyn Agent, fault: Fault) -> Fault {
    if agent.locals().is_empty() { fault } else { refused(fault) }
}

fn refused(fault: Fault) -> Fault {
    let kind = if fault.kind == FaultKind::Failed { FaultKind::Refused } else { fault.kind };
    Fault { kind, ..fault }
}
