//! CLIP: an image tower and a text tower whose vectors are compared (Radford et al. 2021, arXiv 2103.00020).

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    exchange::{Answers, Kind, Modality, RankRequest, Reply, Request},
    infer::{
        background::Floors,
        checkpoint::Checkpoint,
        config::{Config, within},
        cost::{CostModel, Transformer},
        failed,
        image::Preparation,
        job::{Input, Job, Model},
        ops::{self, Activation, Linear},
        text::{TextTokenizer, VocabStyle},
    },
};
use candle_core::{DType, Device, IndexOp, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};
use image::RgbImage;
use indexmap::IndexMap;
use std::{collections::HashMap, sync::Arc};

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "clip",
    about: "scores words against images; embeds images and text",
    answers: &[
        Answers::new(Kind::Rank, &[Modality::Text, Modality::Image]),
        Answers::new(Kind::Embed, &[Modality::Text, Modality::Image]),
    ],
    own_labels: false,
    recognises: |config| config.is_type(&["clip"], &["CLIPModel"]),
    floors: true,
    cost,
    load: |checkpoint, loading| Ok(Box::new(Clip::load(checkpoint, loading)?)),
};

/// The work of the image tower for a picture, and of the text tower for a token.
fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let (vision, words) = (config.part("vision_config")?, config.part("text_config")?);
    let picture = Transformer::read(&vision, (768, 12, 12))?;
    let side = vision.count("image_size", within::SIDE)?.unwrap_or(224);
    let patch = vision.count("patch_size", 1..=side)?.unwrap_or(32.min(side));
    let patches = ((side / patch) * (side / patch)) as f64;
    let embedding = 2.0 * patches * (3 * patch * patch * picture.width) as f64;
    let text_tokens = words.count("max_position_embeddings", within::POSITIONS)?.unwrap_or(MAX_TOKENS);
    Ok(CostModel {
        picture: picture.token().whole(patches + 1.0).with(embedding),
        text: Transformer::read(&words, (512, 12, 8))?.token(),
        text_tokens,
        ..CostModel::default()
    })
}

/// A transformer block with norms before its parts.
struct Block {
    norm1: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
    activation: Activation,
    heads: usize,
}

impl Block {
    fn load(shape: &Shape, vb: VarBuilder<'_>) -> Result<Block> {
        let (w, attn, mlp) = (shape.width, vb.pp("self_attn"), vb.pp("mlp"));
        Ok(Block {
            norm1: ops::layer_norm(w, shape.eps, vb.pp("layer_norm1"))?,
            query: ops::linear_with_bias(w, w, attn.pp("q_proj"))?,
            key: ops::linear_with_bias(w, w, attn.pp("k_proj"))?,
            value: ops::linear_with_bias(w, w, attn.pp("v_proj"))?,
            out: ops::linear_with_bias(w, w, attn.pp("out_proj"))?,
            norm2: ops::layer_norm(w, shape.eps, vb.pp("layer_norm2"))?,
            up: ops::linear_with_bias(w, shape.inner, mlp.pp("fc1"))?,
            down: ops::linear_with_bias(shape.inner, w, mlp.pp("fc2"))?,
            activation: shape.activation,
            heads: shape.heads,
        })
    }

    /// (batch, t, width) -> (batch, t, width)
    fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let y = self.norm1.forward(x)?;
        let (q, k, v) = (self.query.forward(&y)?, self.key.forward(&y)?, self.value.forward(&y)?);
        let x = (x + self.out.forward(&ops::attend(&q, &k, &v, self.heads, mask)?)?)?;
        let y = self.activation.forward(&self.up.forward(&self.norm2.forward(&x)?)?)?;
        x + self.down.forward(&y)?
    }
}

/// The settings that both towers have.
struct Shape {
    width: usize,
    inner: usize,
    layers: usize,
    heads: usize,
    eps: f64,
    activation: Activation,
}

impl Shape {
    /// Absent keys have the values of transformers' `CLIPTextConfig` and `CLIPVisionConfig`.
    fn read(config: &Config, width: usize, heads: usize) -> std::result::Result<Shape, Fault> {
        let width = config.count("hidden_size", within::WIDTH)?.unwrap_or(width);
        Ok(Shape {
            width,
            inner: config.count("intermediate_size", within::WIDTH)?.unwrap_or(4 * width),
            layers: config.count("num_hidden_layers", within::LAYERS)?.unwrap_or(12),
            heads: config.heads("num_attention_heads", heads, width)?,
            eps: config.number("layer_norm_eps", within::EPSILON)?.unwrap_or(1e-5),
            activation: config.activation("hidden_act", "quick_gelu")?,
        })
    }

    fn blocks(&self, vb: &VarBuilder<'_>) -> Result<Vec<Block>> {
        (0..self.layers).map(|n| Block::load(self, vb.pp("encoder.layers").pp(n))).collect()
    }
}

/// The image tower.
struct Vision {
    class: Tensor,
    patches: Tensor,
    positions: Tensor,
    norm_before: LayerNorm,
    blocks: Vec<Block>,
    norm_after: LayerNorm,
    projection: Linear,
    patch: usize,
    side: usize,
}

impl Vision {
    fn load(config: &Config, projection: usize, vb: &VarBuilder<'_>) -> std::result::Result<Vision, Fault> {
        let shape = Shape::read(config, 768, 12)?;
        let side = config.count("image_size", within::SIDE)?.unwrap_or(224);
        let patch = config.count("patch_size", 1..=side)?.unwrap_or(32.min(side));
        let count = (side / patch) * (side / patch) + 1;
        let load = || -> Result<Vision> {
            let (w, v) = (shape.width, vb.pp("vision_model"));
            let e = v.pp("embeddings");
            Ok(Vision {
                class: e.get(w, "class_embedding")?.reshape((1, 1, w))?,
                // A convolution whose stride is its width is a linear map of each patch.
                patches: e.get((w, 3, patch, patch), "patch_embedding.weight")?.reshape((w, 3 * patch * patch))?,
                positions: e.get((count, w), "position_embedding.weight")?,
                norm_before: ops::layer_norm(w, shape.eps, v.pp("pre_layrnorm"))?,
                blocks: shape.blocks(&v)?,
                norm_after: ops::layer_norm(w, shape.eps, v.pp("post_layernorm"))?,
                projection: ops::linear(w, projection, vb.pp("visual_projection"))?,
                patch,
                side,
            })
        };
        load().map_err(failed)
    }

    /// (batch, 3, side, side) -> one vector of unit length for each picture.
    fn forward(&self, pixels: &Tensor) -> Result<Vec<Vec<f32>>> {
        let (batch, _, height, width) = pixels.dims4()?;
        let (rows, columns, p) = (height / self.patch, width / self.patch, self.patch);
        // Trailing pixels that do not fill a patch are dropped.
        let patches = pixels
            .narrow(2, 0, rows * p)?
            .narrow(3, 0, columns * p)?
            .reshape(&[batch, 3, rows, p, columns, p][..])?
            .permute([0, 2, 4, 1, 3, 5])? // (batch, rows, columns, 3, p, p)
            .reshape((batch * rows * columns, 3 * p * p))?
            .matmul(&self.patches.t()?)?
            .reshape((batch, rows * columns, self.class.dim(2)?))?;
        let class = self.class.broadcast_as((batch, 1, self.class.dim(2)?))?;
        let mut x = Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&self.positions)?;
        x = self.norm_before.forward(&x)?;
        for block in &self.blocks {
            x = block.forward(&x, None)?;
        }
        project(&self.norm_after.forward(&x.i((.., 0))?.contiguous()?)?, &self.projection)
    }
}

/// The last map of a tower, (batch, width) -> unit vectors. Each row is multiplied alone, because candle uses other
/// kernels for one row than for many, and a vector must not depend on its batch.
fn project(pooled: &Tensor, projection: &Linear) -> Result<Vec<Vec<f32>>> {
    (0..pooled.dim(0)?).map(|n| ops::unit(&projection.forward(&pooled.narrow(0, n, 1)?)?)).collect()
}

/// The maximum tokens of a text if a checkpoint states no maximum.
const MAX_TOKENS: usize = 77;

/// The text tower.
struct TextTower {
    tokens: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    projection: Linear,
    /// The end token, whose state becomes the text's vector. `None` for checkpoints older than transformers 4.31, which
    /// state an `eos_token_id` of 2: in them the largest id of a text marks its end.
    end: Option<u32>,
}

impl TextTower {
    fn load(config: &Config, projection: usize, vb: &VarBuilder<'_>) -> std::result::Result<TextTower, Fault> {
        let shape = Shape::read(config, 512, 8)?;
        let vocab = config.count("vocab_size", within::VOCABULARY)?.unwrap_or(49408);
        let most = config.count("max_position_embeddings", within::POSITIONS)?.unwrap_or(MAX_TOKENS);
        let end = config.token("eos_token_id", vocab)?.unwrap_or(49407);
        let load = || -> Result<TextTower> {
            let (w, v) = (shape.width, vb.pp("text_model"));
            Ok(TextTower {
                tokens: v.get((vocab, w), "embeddings.token_embedding.weight")?,
                positions: v.get((most, w), "embeddings.position_embedding.weight")?,
                blocks: shape.blocks(&v)?,
                norm: ops::layer_norm(w, shape.eps, v.pp("final_layer_norm"))?,
                projection: ops::linear(w, projection, vb.pp("text_projection"))?,
                end: Some(end).filter(|id| *id != 2),
            })
        };
        load().map_err(failed)
    }

    /// Token ids of texts of one length -> one vector of unit length for each text.
    fn forward(&self, ids: &[&[u32]], device: &Device) -> Result<Vec<Vec<f32>>> {
        let (batch, t) = (ids.len(), ids[0].len());
        let flat = Tensor::from_vec(ids.concat(), batch * t, device)?;
        let x = self.tokens.index_select(&flat, 0)?.reshape((batch, t, ()))?;
        let mut x = x.broadcast_add(&self.positions.narrow(0, 0, t)?)?;
        let mask = ops::causal_mask(t, 0, x.dtype(), device)?;
        for block in &self.blocks {
            x = block.forward(&x, Some(&mask))?;
        }
        let x = self.norm.forward(&x)?;
        let ends = ids.iter().enumerate().map(|(row, ids)| x.i((row, self.end_of(ids))));
        project(&Tensor::stack(&ends.collect::<Result<Vec<_>>>()?, 0)?, &self.projection)
    }

    fn end_of(&self, ids: &[u32]) -> usize {
        let end = match self.end {
            Some(end) => ids.iter().position(|id| *id == end),
            None => ids.iter().max().and_then(|most| ids.iter().position(|id| id == most)),
        };
        end.unwrap_or(0)
    }
}

/// A cache of vectors. A run asks for the same label list at each moment, and for the same moment with each list, so
/// the vectors of both are kept. A cache that would exceed [`MAX_CACHED`] is emptied first, which is rare.
type Known<K> = HashMap<K, Arc<Vec<f32>>>;

/// The maximum vectors of a cache. 4096 vectors of 512 numbers are 8 MB; 4096 pictures are more than an hour at one a
/// second.
const MAX_CACHED: usize = 4096;

/// Identifies a picture: blake3 of its size and pixels, which takes a thousandth of the time of embedding it.
type Fingerprint = [u8; 32];

fn fingerprint(picture: &RgbImage) -> Fingerprint {
    let (width, height) = picture.dimensions();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&width.to_le_bytes()).update(&height.to_le_bytes()).update(picture.as_raw());
    *hasher.finalize().as_bytes()
}

/// A loaded CLIP model.
pub struct Clip {
    vision: Vision,
    words: TextTower,
    scale: f64,
    text: TextTokenizer,
    preparation: Preparation,
    max_tokens: usize,
    known: Known<String>,
    seen: Known<Fingerprint>,
    floors: Floors,
    device: Device,
    dtype: DType,
}

impl Clip {
    /// Loads both towers. Fails if a file of the checkpoint is missing, damaged or unsupported.
    pub fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<Clip, Fault> {
        let (config, vb) = (&checkpoint.config, checkpoint.weights(loading.dtype, &loading.device)?);
        let projection = config.count("projection_dim", within::WIDTH)?.unwrap_or(512);
        let words = config.part("text_config")?;
        let vision = Vision::load(&config.part("vision_config")?, projection, &vb)?;
        let settings = checkpoint.processor("image_processor")?;
        let text = TextTokenizer::open(checkpoint, VocabStyle::Clip)?;
        let scale =
            vb.get((), "logit_scale").and_then(|s| s.to_dtype(DType::F32)?.to_scalar::<f32>()).map_err(failed)?;
        let positions = words.count("max_position_embeddings", within::POSITIONS)?.unwrap_or(MAX_TOKENS);
        Ok(Clip {
            preparation: Preparation::new(&settings, vision.side)?,
            words: TextTower::load(&words, projection, &vb)?,
            max_tokens: text.max_tokens(positions),
            text,
            scale: f64::from(scale).exp(),
            known: Known::default(),
            seen: Known::default(),
            floors: Floors::of(checkpoint, projection)?,
            device: loading.device.clone(),
            dtype: loading.dtype,
            vision,
        })
    }

    /// Unit vectors of pictures. Pictures that are not in the cache share a forward pass.
    fn see(&mut self, pictures: &[&RgbImage]) -> std::result::Result<Vec<Arc<Vec<f32>>>, Fault> {
        let prints: Vec<Fingerprint> = pictures.iter().map(|picture| fingerprint(picture)).collect();
        let mut vectors: Known<Fingerprint> =
            prints.iter().filter_map(|print| self.seen.get_key_value(print)).map(|(p, v)| (*p, v.clone())).collect();
        let mut unseen: IndexMap<Fingerprint, &RgbImage> = IndexMap::new();
        unseen.extend(prints.iter().zip(pictures).filter(|(p, _)| !vectors.contains_key(*p)).map(|(p, i)| (*p, *i)));
        if !unseen.is_empty() {
            let new = self.look(&unseen.values().copied().collect::<Vec<_>>())?;
            if self.seen.len() + new.len() > MAX_CACHED {
                self.seen.clear();
            }
            let new = unseen.into_keys().zip(new.into_iter().map(Arc::new));
            new.for_each(|(print, vector)| {
                self.seen.insert(print, vector.clone());
                vectors.insert(print, vector);
            });
        }
        Ok(prints.iter().map(|print| vectors[print].clone()).collect())
    }

    /// Unit vectors of pictures, in one forward pass.
    fn look(&self, pictures: &[&RgbImage]) -> std::result::Result<Vec<Vec<f32>>, Fault> {
        let side = self.vision.side;
        let mut values = Vec::with_capacity(pictures.len() * 3 * side * side);
        for picture in pictures {
            let (one, height, width) = self.preparation.apply(picture)?;
            if (height, width) != (side, side) {
                return Err(Fault::model(format!(
                    "{} prepares pictures of {width}×{height}, but the model requires {side}×{side}",
                    self.preparation.name
                )));
            }
            values.extend(one);
        }
        let shape = (pictures.len(), 3, side, side);
        let pixels = Tensor::from_vec(values, shape, &self.device).and_then(|x| x.to_dtype(self.dtype));
        pixels.and_then(|pixels| self.vision.forward(&pixels)).map_err(failed)
    }

    /// Unit vectors of texts. Texts of one length that are not in the cache share a forward pass.
    fn read(&mut self, texts: &[&str]) -> std::result::Result<Vec<Arc<Vec<f32>>>, Fault> {
        let mut unknown: Vec<(Vec<u32>, &str)> = Vec::new();
        for text in texts {
            if !self.known.contains_key(*text) && !unknown.iter().any(|(_, t)| t == text) {
                unknown.push((self.text.encode_within(text, self.max_tokens)?, text));
            }
        }
        unknown.sort_by_key(|(ids, _)| ids.len());
        if self.known.len() + unknown.len() > MAX_CACHED {
            let asked: Vec<_> = texts.iter().filter_map(|t| self.known.remove_entry(*t)).collect();
            self.known = asked.into_iter().collect();
        }
        for group in unknown.chunk_by(|a, b| a.0.len() == b.0.len()) {
            for part in group.chunks(64) {
                let ids: Vec<&[u32]> = part.iter().map(|(ids, _)| ids.as_slice()).collect();
                let vectors = self.words.forward(&ids, &self.device).map_err(failed)?;
                self.known.extend(part.iter().zip(vectors).map(|((_, text), v)| ((*text).to_owned(), Arc::new(v))));
            }
        }
        Ok(texts.iter().map(|t| self.known[*t].clone()).collect())
    }

    fn embed(&mut self, inputs: &[&Input]) -> std::result::Result<Vec<Arc<Vec<f32>>>, Fault> {
        let texts: Vec<&str> =
            inputs.iter().filter_map(|i| if let Input::Text(t) = i { Some(t.as_str()) } else { None }).collect();
        if !texts.is_empty() {
            return self.read(&texts);
        }
        let pictures = inputs.iter().filter_map(|i| if let Input::Image(p) = i { Some(&**p) } else { None });
        self.see(&pictures.collect::<Vec<_>>())
    }

    fn finish(&mut self, request: &Request, what: &[f32]) -> std::result::Result<Reply, Fault> {
        let Request::Rank(RankRequest { among, texts, floor, .. }) = request else {
            return Ok(Reply::Embed(what.to_vec()));
        };
        let labels = self.read(&texts.iter().map(String::as_str).collect::<Vec<_>>())?;
        let scores: Vec<f32> = labels.iter().map(|label| ops::cosine(what, label)).collect();
        let mut scored = ops::scored(among, &scores, self.scale);
        if floor.applies(true) {
            self.floors.state(&mut scored, texts, &labels)?;
        }
        Ok(Reply::Rank(scored))
    }
}

impl Model for Clip {
    fn answer(&mut self, jobs: Vec<Job>) {
        let takes = |job: &Job| matches!(job.subject(), Some(Input::Text(_) | Input::Image(_)));
        let (jobs, others): (Vec<_>, Vec<_>) = jobs.into_iter().partition(takes);
        others.into_iter().for_each(Job::refuse);
        let inputs: Vec<&Input> = jobs.iter().filter_map(Job::subject).collect();
        let vectors = match self.embed(&inputs) {
            Ok(vectors) => vectors.into_iter().map(Ok).collect(),
            // One bad picture must not fail the others of the batch, so each is tried alone.
            Err(_) if inputs.len() > 1 => inputs.iter().map(|i| self.embed(&[i]).map(|mut v| v.remove(0))).collect(),
            Err(error) => vec![Err(error)],
        };
        let vectors: Vec<std::result::Result<_, Fault>> = vectors;
        for (job, vector) in jobs.into_iter().zip(vectors) {
            let reply = vector.and_then(|v| self.finish(&job.request, &v));
            job.answer(reply);
        }
    }
}
