//! A local model as an agent: a handle to the thread that owns the model. The handle fetches the media that requests
//! name.

use super::{
    Agent, CallContext, Card,
    budget::{self, Need},
    identity::{self, identity},
    listening::Listening,
    pool::{Loader, MemoryPool, Seat},
    work::{self, Estimator},
};
use crate::{
    error::{Fault, FaultKind},
    exchange::{Decoding, DetectRequest, FloorUse, HearingSettings, Item, RankRequest, Reply, Request},
    files,
    hub::digest::{Digests, Stamp},
    infer::{
        background,
        causal::KvFormat,
        checkpoint::Checkpoint,
        cost::Phase,
        device,
        guard::guarded,
        job::{Input, Job, Model, SoundSource},
        meter::Meter,
        perceived::frame_print,
        worker::{Worker, WorkerLimits},
    },
    media::MediaStore,
    models::{self, Family, ModelOptions, golden},
    store::{TimingStore, vectors::VectorStore},
    value::Moment,
};
use async_trait::async_trait;
use futures_util::future::join_all;
use std::{path::PathBuf, sync::Arc, time::Instant};

/// The settings of a local model, from a checked `agents/NAME.yaml`. Agents with equal settings share one loaded model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LocalSpec {
    /// The agent's name.
    pub name: String,
    /// The checkpoint folder, or a `.gguf` file.
    pub path: PathBuf,
    /// The model family; if absent or `auto`, `config.json` determines it.
    pub family: Option<String>,
    /// The number format: `auto` (default), `f32`, `f16`, `bf16` or `int8`.
    pub dtype: Option<String>,
    /// The format of the keys and values that a language model keeps.
    pub kv_cache: KvFormat,
    /// The device: `auto` (default), `cpu`, `cuda:N` or `metal`.
    pub device: Option<String>,
    /// The agent's own decoding defaults.
    pub decode: Decoding,
    /// The limits of a batch and of the queue.
    pub limits: WorkerLimits,
    /// The maximum tokens of prompt and reply together.
    pub context_tokens: Option<usize>,
    /// The most pixels of a picture that it looks at, if fewer than its checkpoint states.
    pub picture_pixels: Option<usize>,
    /// How it hears speech.
    pub hearing: HearingSettings,
    /// The store of digests of weight files.
    pub digests: Digests,
    /// The store of vectors of labels.
    pub vectors: VectorStore,
    /// The store of measured speeds.
    pub timings: TimingStore,
}

/// An agent whose model runs in this process.
///
/// Preparation computes its identity, so that the memo can be searched. The weights are loaded for the first exchange
/// that the memo does not have. A run with only memo hits loads nothing.
pub struct LocalAgent {
    card: Card,
    prepared: Arc<Prepared>,
    seat: Seat,
    need: Option<Need>,
    store: Arc<MediaStore>,
}

/// Everything that loading needs.
struct Prepared {
    spec: LocalSpec,
    checkpoint: Checkpoint,
    stamps: Vec<Option<Stamp>>,
    digest: String,
    family: &'static Family,
    loading: ModelOptions,
    /// The checkpoint has background vectors.
    background: bool,
}

impl LocalAgent {
    /// Reads and checks everything except the weights themselves: the folder, its configuration, the headers of its
    /// weights, the family, the device and the number format. Fails if one of them cannot be used.
    pub async fn prepare(spec: LocalSpec, store: Arc<MediaStore>) -> Result<LocalAgent, Fault> {
        LocalAgent::prepare_in(spec, store, &Arc::default(), None).await
    }

    /// The same in a pool of memory, in which the model will take what `need` states.
    pub(super) async fn prepare_in(
        spec: LocalSpec,
        store: Arc<MediaStore>,
        pool: &Arc<MemoryPool>,
        need: Option<&Need>,
    ) -> Result<LocalAgent, Fault> {
        let preparing = tokio::task::spawn_blocking(move || guarded(|| Prepared::new(spec)));
        let stopped = |why: String| Fault::model(format!("preparing the model failed: {why}"));
        let prepared = preparing.await.map_err(|e| stopped(e.to_string()))?;
        let (prepared, card) = prepared.map_err(stopped)??;
        let prepared = Arc::new(prepared);
        let (device, bytes) = need.map_or(("", 0), |need| (&*need.device, budget::with_rest(need.weights)));
        let seat = pool.join(device, bytes, loader(prepared.clone()));
        Ok(LocalAgent { card, prepared, seat, need: need.cloned(), store })
    }

    /// Prepares and loads the model.
    pub async fn load(spec: LocalSpec, store: Arc<MediaStore>) -> Result<LocalAgent, Fault> {
        let agent = LocalAgent::prepare(spec, store).await?;
        agent.ready().await?;
        Ok(agent)
    }

    /// The settings that it was prepared from.
    pub fn spec(&self) -> &LocalSpec {
        &self.prepared.spec
    }

    /// True if its weights are loaded.
    pub fn is_loaded(&self) -> bool {
        self.seat.is_loaded()
    }

    /// True if its files have not changed since preparation. Blocks while it reads the stamp of each file.
    pub fn is_unchanged(&self) -> bool {
        self.prepared.checkpoint.stamps() == self.prepared.stamps
    }

    /// The device of its model, and the bytes of its weights there; none if they are unknown.
    pub fn need(&self) -> Option<&Need> {
        self.need.as_ref()
    }

    /// The bytes that loading reads. Fails if a header is damaged.
    pub fn stored_bytes(&self) -> Result<u64, Fault> {
        self.prepared.checkpoint.bytes(None, false)
    }

    /// Bytes of a number while the model computes.
    pub fn number_bytes(&self) -> u64 {
        self.prepared.loading.dtype.size_in_bytes() as u64
    }

    /// The measurements of its speed.
    pub fn meter(&self) -> &Meter {
        &self.prepared.loading.meter
    }

    /// Counts its work before it is loaded. Reads the tokenizer, and no weights. Blocks. Fails if the family cannot
    /// read the configuration.
    pub fn estimator(&self) -> Result<Estimator, Fault> {
        let Prepared { spec, checkpoint, family, loading, .. } = &*self.prepared;
        let mut cost = (family.cost)(&checkpoint.config).map_err(|fault| work::unread(fault).of(&spec.name))?;
        let share = loading.kv_cache.bytes() as f64 / KvFormat::F32.bytes() as f64;
        [&mut cost.prompt, &mut cost.reply].into_iter().for_each(|pass| pass.cache_bytes *= share);
        Ok(Estimator::open(checkpoint, cost, loading.labels.clone(), spec.decode.clone(), loading.meter.known()))
    }

    /// Fails if the card lacks the request, if candidates and texts differ in number, or if floors cannot be stated.
    fn check(&self, request: &Request) -> Result<(), Fault> {
        self.card.check(request)?;
        let (among, texts, floor) = match request {
            Request::Rank(RankRequest { among, texts, floor, .. }) => (among, texts, *floor),
            Request::Detect(DetectRequest { among, texts, .. }) => (among, texts, FloorUse::Unused),
            _ => return Ok(()),
        };
        if texts.len() != among.len() {
            let (texts, among) = (texts.len(), among.len());
            return Err(Fault::failed(format!("found {texts} texts for {among} candidates, expected one for each")));
        }
        if floor == FloorUse::Required && !self.states_floors() {
            return Err(needs_background(&self.card.name));
        }
        Ok(())
    }

    /// What the model computed for this frame before. None of a frame that the user withholds.
    fn seen(&self, moment: &Moment) -> Option<Arc<Vec<f32>>> {
        let withheld = moment.media.withholds(moment.start);
        (!withheld).then(|| self.prepared.loading.perceived.get(&frame_print(moment))).flatten()
    }

    /// The items of a request for the model, and the sounds among them, whose samples must be served.
    async fn inputs(&self, request: &Request) -> Result<(Vec<Input>, Vec<Listening>), Fault> {
        let (mut inputs, mut sounds) = (Vec::new(), Vec::new());
        for item in request.items() {
            inputs.push(match item {
                Item::Text(text) => Input::Text(text),
                Item::Image(file) => Input::Image(self.store.image(&file).await?),
                Item::Frame(moment) => match self.seen(&moment) {
                    Some(vector) => Input::Seen(vector),
                    None => Input::Image(self.store.frame(&moment).await?),
                },
                Item::Sound(moment) => {
                    let (sound, pulls) = SoundSource::new(moment.start, moment.end);
                    sounds.push(Listening { moment, pulls });
                    Input::Sound(sound)
                }
            });
        }
        Ok((inputs, sounds))
    }
}

/// A model's fault with the name of its agent. `try --model PATH` uses the path as the name; most messages begin with
/// the path already.
fn named(spec: &LocalSpec, fault: Fault) -> Fault {
    let by_path = spec.path.to_str() == Some(&spec.name) && fault.message.starts_with(&spec.name);
    let fault = Fault { kind: FaultKind::Model, ..fault };
    if by_path { fault } else { fault.of(&spec.name) }
}

/// The fault of an agent without background vectors that a step with `floor: true` uses.
pub(super) fn needs_background(name: &str) -> Fault {
    Fault::model("a step ranks with `floor: true`, but the model lacks background vectors")
        .hint(format!("run `elenchus calibrate {name}` once; it takes about a minute"))
        .of(name)
}

/// The fault of an agent without labels of its own that a step without `among` uses.
pub(super) fn needs_own_labels(name: &str) -> Fault {
    Fault::model("a step ranks without `among`, but the agent has no labels of its own")
        .hint("give the step candidates (`among: vocab/places`), or give the role an image classifier")
        .of(name)
}

/// Fails if the weights exceed the machine's memory, before their digest is computed. The roster checks all agents
/// together.
fn fits(spec: &LocalSpec, checkpoint: &Checkpoint, family: &Family, loading: &ModelOptions) -> Result<(), Fault> {
    if !loading.device.is_cpu() {
        return Ok(());
    }
    let (each, narrow) = (loading.dtype.size_in_bytes() as u64, !family.packing.packs());
    let weights = checkpoint.bytes(Some(each), narrow)?;
    let need = Need { agent: spec.name.clone(), device: "cpu".to_owned(), weights };
    let problem = budget::check(&[need], &[], budget::free_on, None).err().and_then(|mut problems| problems.pop());
    problem.map_or(Ok(()), |(message, hint)| Err(Fault::model(message).hint(hint)))
}

/// Starts the model's thread, which loads the model.
fn loader(prepared: Arc<Prepared>) -> Loader {
    Arc::new(move || {
        let prepared = prepared.clone();
        Box::pin(async move {
            let (name, limits) = (prepared.spec.name.clone(), prepared.spec.limits);
            Worker::start(&name, limits, move || prepared.load()).await
        })
    })
}

/// The digest of the background vectors, if the family uses them and the checkpoint has them.
fn background(family: &Family, checkpoint: &Checkpoint) -> Result<Option<String>, Fault> {
    if !family.floors {
        return Ok(None);
    }
    let Some(path) = &checkpoint.background else { return Ok(None) };
    let bytes =
        files::read(path, background::MAX_FILE_BYTES).map_err(|e| Fault::model(format!("{}: {e}", path.display())))?;
    Ok(Some(blake3::hash(&bytes).to_hex().to_string()))
}

impl Prepared {
    fn new(spec: LocalSpec) -> Result<(Prepared, Card), Fault> {
        let named = |error: Fault| named(&spec, error);
        let mut checkpoint = Checkpoint::open(&spec.path).map_err(named)?;
        let family = models::family(spec.family.as_deref(), &checkpoint.config).map_err(named)?;
        let device = device::open(spec.device.as_deref().unwrap_or("auto")).map_err(named)?;
        let stored = checkpoint.stored_dtype().map_err(named)?;
        let (dtype, precision) = device::dtype(spec.dtype.as_deref(), stored, &device).map_err(named)?;
        family.computes_in(precision).map_err(named)?;
        let (decode, context_tokens, picture_pixels) = (spec.decode.clone(), spec.context_tokens, spec.picture_pixels);
        let hearing = spec.hearing.clone();
        let mut loading = ModelOptions {
            precision,
            kv_cache: spec.kv_cache,
            decode,
            context_tokens,
            picture_pixels,
            hearing,
            ..ModelOptions::new(device, dtype)
        };
        family.keeps_as(&loading).map_err(named)?;
        fits(&spec, &checkpoint, family, &loading).map_err(named)?;
        let stamps = checkpoint.stamps();
        let digest = checkpoint.digest(&spec.digests).map_err(named)?;
        loading.labels = identity::labels(&spec, family, &digest, &loading);
        loading.meter = identity::meter(&spec, family, &digest, &loading);
        let mut identity = identity(&spec, family, &digest, &loading)?;
        // vectors that the user made come before those beside the weights
        let calibrated = spec.digests.beside("background").map(|folder| background::in_folder(&folder, &digest));
        if let Some(path) = calibrated.filter(|path| path.exists()) {
            checkpoint.background = Some(path);
        }
        let background = background(family, &checkpoint).map_err(named)?;
        if let Some(digest) = &background {
            identity.push_str(&format!(" background {digest}"));
        }
        let (name, answers, own_labels) = (spec.name.clone(), family.answers.to_vec(), family.own_labels);
        let card = Card { name, answers, identity, memo: true, own_labels };
        let background = background.is_some();
        Ok((Prepared { spec, checkpoint, stamps, digest, family, loading, background }, card))
    }

    /// Loads the weights. Blocks. Fails if the files have changed since preparation.
    fn load(&self) -> Result<Box<dyn Model>, Fault> {
        let Prepared { spec, family, loading, .. } = self;
        let begun = Instant::now();
        let named = |error: Fault| named(spec, error);
        let is_gguf = self.checkpoint.gguf().is_some();
        golden::trusted(family.name, &loading.device, loading.dtype, is_gguf).map_err(named)?;
        let model = (family.load)(&self.checkpoint, loading).map_err(named)?;
        // The identity is that of the files at preparation: the memo must not keep replies of other files under it.
        let unchanged = self.checkpoint.stamps() == self.stamps;
        if !unchanged && self.checkpoint.digest(&spec.digests).map_err(named)? != self.digest {
            let changed =
                format!("{} has changed since the run began; run the command again", self.checkpoint.folder.display());
            return Err(named(Fault::model(changed)));
        }
        if let Ok(bytes) = self.checkpoint.bytes(None, false) {
            loading.meter.took(Phase::Load, bytes as f64, begun.elapsed());
        }
        let computed = family.computing(loading);
        tracing::info!(agent = spec.name, family = family.name, computed, took = ?begun.elapsed(), "loaded");
        Ok(model)
    }
}

impl Drop for LocalAgent {
    /// Keeps the measurements: the model's thread may end after the process.
    fn drop(&mut self) {
        self.meter().flush();
    }
}

#[async_trait]
impl Agent for LocalAgent {
    fn card(&self) -> &Card {
        &self.card
    }

    fn locals(&self) -> Vec<&LocalAgent> {
        vec![self]
    }

    fn states_floors(&self) -> bool {
        self.prepared.background
    }

    async fn ready(&self) -> Result<(), Fault> {
        self.seat.enter(true).await.map(drop)
    }

    async fn ask(&self, mut request: Request, asking: CallContext) -> Result<Reply, Fault> {
        self.check(&request)?;
        // a model is asked for floors only if it can state them
        if let Request::Rank(RankRequest { floor, .. }) = &mut request {
            *floor = if floor.applies(self.states_floors()) { FloorUse::Required } else { FloorUse::Unused };
        }
        let lease = self.seat.enter(false).await.map_err(Fault::of_weights)?;
        let (inputs, sounds) = self.inputs(&request).await?;
        let asked = request.clone();
        let (job, answer) = Job::new(request, inputs, asking.seed, asking.stream);
        lease.worker.send(job).await?;
        let lost = |_| Err(lease.worker.dropped());
        let serving = join_all(sounds.into_iter().map(|sound| sound.serve(&self.store)));
        tokio::pin!(serving);
        tokio::pin!(answer);
        let reply = tokio::select! {
            reply = &mut answer => reply.unwrap_or_else(lost),
            _ = &mut serving => answer.await.unwrap_or_else(lost),
        };
        if let Ok(reply) = &reply {
            let shown = work::experience(&asked, reply, &self.prepared.spec.decode);
            shown.iter().for_each(|(name, ratio)| self.meter().count(name, ratio.amount, ratio.per));
        }
        reply
    }
}
