//! `elenchus calibrate AGENT`: makes the background vectors that `rank` with `floor: true` needs.

use super::{
    Exit,
    out::Out,
    progress::Bars,
    session::{block_on, listener, unless},
    settings::report,
};
use crate::{
    agent::{Agent, CallContext, list, roster},
    error::Fault,
    exchange::{EmbedRequest, Item, Kind, Reply, Request},
    hub::Folders,
    infer::{
        background::{self, Background},
        checkpoint::Checkpoint,
        pictures::Pictures,
    },
    media::{self, Access, MediaStore},
    session::{Engine, Settings, unready},
};
use futures_util::future::try_join_all;
use image::RgbImage;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The number of made-up pictures.
const MADE_UP: usize = 320;
/// The approximate number of variations of all photographs together.
const VARIATIONS: usize = 1500;
/// The maximum number of variations of one photograph.
const MAX_VARIATIONS_OF_ONE: usize = 8;
/// The maximum number of photographs that are used.
const MAX_PHOTOGRAPHS: usize = 3000;
/// The number of pictures that are embedded together.
const AT_ONCE: usize = 32;

/// The arguments of `calibrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus calibrate my-clip
  elenchus calibrate my-clip --pictures ~/Pictures/various

The command embeds made-up pictures (noise, gradients, shapes, flat colours) and, with --pictures, variations of your photographs. \
`rank` with `floor: true` compares each score with the scores of these vectors. Photographs of many different things give better \
floors; a few that show a label do no harm. The vectors are written beside the weights. For checkpoints of the hub and of the \
program, they are written into your cache.")]
pub(crate) struct Args {
    /// The agent (agents/NAME.yaml); a local model that ranks pictures
    agent: String,
    /// A folder of photographs (JPEG or PNG) that show many different things
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Device of the model: auto, cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = super::common::device)]
    device: String,
    /// Seed of the made-up pictures and of the variations
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let catalogue = settings.catalogue(Path::new("."), settings.network(false))?;
        let engine = Engine::new(settings.clone());
        let options =
            engine.options(&catalogue, &self.device, &listener(&Arc::new(Bars::new(out)), Default::default()));
        block_on(|cancel| async move {
            let loaded = roster::load_one(&self.agent, &options).await;
            report(&catalogue.verdicts, out)?;
            let agent = loaded.map_err(|fault| unready(vec![fault]))?;
            let card = agent.card();
            if !(card.can(Kind::Rank) && card.can(Kind::Embed)) {
                return Err(Fault::refused(format!("{} must be an agent that answers `rank` and `embed`", self.agent)));
            }
            let checkpoint = list::path(&self.agent, &catalogue)?;
            let photographs = self.photographs(&options.store).await?;
            let work = async {
                let vectors = self.vectors(agent.as_ref(), &photographs).await?;
                Background::new(vectors)
            };
            let background = unless(&cancel, work).await?;
            let own =
                !checkpoint.starts_with(&catalogue.folders.cache) && !checkpoint.starts_with(&catalogue.settings.cache);
            let file = write(&background, &checkpoint, own, &catalogue.folders)?;
            self.show(&background, photographs.len(), &file, out)
        })
    }

    fn show(&self, background: &Background, photographs: usize, file: &Path, out: &Out) -> Result<Exit, Fault> {
        let count = background.count();
        if out.json {
            out.value(&serde_json::json!({
                "agent": self.agent, "vectors": count, "made_up": MADE_UP, "photographs": photographs, "file": file,
            }))?;
        } else {
            let from = format!("{MADE_UP} made-up pictures and {photographs} photographs");
            out.text(format!("{}: {count} background vectors from {from}, written to {}", self.agent, file.display()))?;
            if photographs == 0 {
                out.note(
                    "hint: floors are better with --pictures DIR, a folder of photographs of many different things",
                );
            }
        }
        Ok(Exit::Answered)
    }

    /// The photographs of the folder, reduced to at most 800 pixels a side. Fails if there are none.
    async fn photographs(&self, store: &MediaStore) -> Result<Vec<Arc<RgbImage>>, Fault> {
        let Some(folder) = &self.pictures else { return Ok(Vec::new()) };
        let unread = |why: &dyn std::fmt::Display| Fault::media(format!("{}: {why}", folder.display()));
        let entries = std::fs::read_dir(folder).map_err(|error| unread(&error))?;
        let is_picture = |path: &PathBuf| {
            let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
            ending.is_some_and(|ending| ["jpg", "jpeg", "png"].contains(&ending.as_str()))
        };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_picture).collect();
        files.sort();
        files.truncate(MAX_PHOTOGRAPHS);
        let mut pictures = Vec::with_capacity(files.len());
        for file in &files {
            let file = media::image_file(&file.to_string_lossy(), &Access::default()).await?;
            let picture = store.image(&file).await?;
            // full-size photographs would fill the memory, and variations are small anyway
            pictures.push(if picture.width().max(picture.height()) > 800 {
                Arc::new(image::imageops::thumbnail(&*picture, 800, 800 * picture.height() / picture.width().max(1)))
            } else {
                picture
            });
        }
        if pictures.is_empty() {
            return Err(unread(&"the folder contains no .jpg or .png files"));
        }
        Ok(pictures)
    }

    /// Vectors of made-up pictures and of variations of the photographs.
    async fn vectors(&self, agent: &dyn Agent, photographs: &[Arc<RgbImage>]) -> Result<Vec<Vec<f32>>, Fault> {
        let mut source = Pictures::new(self.seed);
        let each = (VARIATIONS / photographs.len().max(1)).clamp(1, MAX_VARIATIONS_OF_ONE);
        let made_up = (0..MADE_UP).map(|n| (n, None));
        let varied = photographs.iter().flat_map(|photograph| (0..each).map(move |n| (n, Some(photograph))));
        let wanted: Vec<(usize, Option<&Arc<RgbImage>>)> = made_up.chain(varied).collect();
        let folder = tempfile::Builder::new().prefix("elenchus-").tempdir()?;
        let mut vectors = Vec::with_capacity(wanted.len());
        for some in wanted.chunks(AT_ONCE) {
            let pictures = some.iter().map(|(n, photograph)| match photograph {
                Some(photograph) => source.variation(photograph),
                None => source.made_up(*n),
            });
            let pictures: Vec<RgbImage> = pictures.collect();
            let asked = pictures
                .iter()
                .enumerate()
                .map(|(n, picture)| embed(agent, picture, folder.path().join(format!("{n}.png"))));
            vectors.extend(try_join_all(asked).await?);
        }
        Ok(vectors)
    }
}

/// The vector of a picture. It is written to `file` first, because requests name files.
async fn embed(agent: &dyn Agent, picture: &RgbImage, file: PathBuf) -> Result<Vec<f32>, Fault> {
    picture.save(&file).map_err(|error| Fault::failed(format!("{} cannot be written: {error}", file.display())))?;
    let what = Item::Image(media::image_file(&file.to_string_lossy(), &Access::default()).await?);
    match agent.ask(Request::Embed(EmbedRequest::new(what)), CallContext::default()).await? {
        Reply::Embed(vector) => Ok(vector),
        _ => Err(Fault::failed("the agent's reply does not fit an `embed` request")),
    }
}

/// Writes the vectors beside the weights if the folder is the user's `own` and writable, else into the user's cache.
fn write(background: &Background, checkpoint: &Path, own: bool, folders: &Folders) -> Result<PathBuf, Fault> {
    let beside = checkpoint.join(background::FILE);
    if own && checkpoint.is_dir() && background.write(&beside).is_ok() {
        return Ok(beside);
    }
    let digest = Checkpoint::open(checkpoint)?.digest(&folders.digests())?;
    let cached = background::in_folder(&folders.cache.join("background"), &digest);
    background.write(&cached).map(|()| cached)
}
