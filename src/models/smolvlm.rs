//! SmolVLM and Idefics3: a Llama that sees. A picture becomes square tiles and a small copy of the whole; a SigLIP tower turns each into
//! states, of which neighbouring ones are joined (Marafioti et al. 2025, arXiv 2504.05299; Laurençon et al. 2024, arXiv 2408.12637).

use super::{
    Family, ModelOptions,
    llama::{self, DecoderShape, PictureEye, PictureStates, SeeingDecoder},
    qwen3_vl,
};
use crate::{
    error::Fault,
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        cost::{CostModel, Phase},
        decode::TextGenerator,
        dense::Sees,
        failed,
        image::{Preparation, Resize},
        meter::Meter,
        ops::{self, Linear},
        prenorm::{Patches, TowerBlocks, TowerDefaults, TowerShape},
        resample::Filter,
    },
};
use ::image::{RgbImage, imageops};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "smolvlm",
    about: "answers prompts about pictures, and chats; also Idefics3",
    recognises: |config| {
        let classes = ["SmolVLMForConditionalGeneration", "Idefics3ForConditionalGeneration"];
        config.is_type(&["smolvlm", "idefics3"], &classes)
    },
    cost,
    load: |checkpoint, loading| Ok(Box::new(load(checkpoint, loading)?)),
    ..qwen3_vl::FAMILY
};

/// The tiles of a usual picture, for an estimate of the work.
const USUAL_TILES: f64 = 5.0;

/// The work of the decoder for a token, and of the tower for a picture of usual size.
fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let eye = config.part("vision_config")?;
    let (shape, side, patch) = tower_settings(&eye)?;
    let patches = ((side / patch) * (side / patch)) as f64;
    let embedding = 2.0 * patches * (3 * patch * patch * shape.width) as f64;
    let picture = shape.transformer().token().whole(USUAL_TILES * patches).with(USUAL_TILES * embedding);
    let factor = config.count("scale_factor", 1..=16)?.unwrap_or(2);
    let picture_tokens = USUAL_TILES * patches / (factor * factor) as f64;
    Ok(CostModel { picture, picture_tokens, ..llama::cost(&config.part("text_config")?)? })
}

/// Absent keys have the values of transformers' `SmolVLMVisionConfig`.
const TOWER: TowerDefaults =
    TowerDefaults { width: 1152, inner: 3072, heads: 16, eps: 1e-6, activation: "gelu_pytorch_tanh" };

/// The shape of the tower, the side of its pictures and that of a patch, in pixels.
fn tower_settings(eye: &Config) -> std::result::Result<(TowerShape, usize, usize), Fault> {
    let shape = TowerShape::read(eye, TOWER)?;
    let side = eye.count("image_size", within::SIDE)?.unwrap_or(224);
    let patch = eye.count("patch_size", 1..=side)?.unwrap_or(32.min(side));
    Ok((shape, side, patch))
}

fn load(
    checkpoint: &Checkpoint,
    loading: &ModelOptions,
) -> std::result::Result<TextGenerator<SeeingDecoder<TileEye>>, Fault> {
    let (config, text) = (&checkpoint.config, checkpoint.config.part("text_config")?);
    let eye = config.part("vision_config")?;
    let (tower, side, patch) = tower_settings(&eye)?;
    let rule = TileRule::read(&checkpoint.processor("image_processor")?, loading.picture_pixels)?;
    let factor = config.count("scale_factor", 1..=16)?.unwrap_or(2);
    let patches = rule.tile / patch;
    if patches == 0 || !patches.is_multiple_of(factor) {
        let why = format!("`scale_factor` {factor} does not divide the {patches} patches of a tile's side");
        return Err(Fault::model(format!("{}: {why}", config.name())));
    }
    tower.check_attention(&eye, "patches", patches * patches)?;
    let tied = config.truth("tie_word_embeddings")?.or(text.truth("tie_word_embeddings")?).unwrap_or(false);
    let shape = DecoderShape::read(&text)?.tied(tied);
    let parts = llama::parts(checkpoint, &text, &shape, loading)?;
    let token = config.token("image_token_id", shape.vocab)?.unwrap_or(128_257);
    let vb = checkpoint.weights(loading.dtype, &loading.device)?;
    let sizes = (side / patch, patch, patches);
    let eye = Eye::load(tower, sizes, factor, shape.width, &vb.pp("model")).map_err(failed)?;
    let network = llama::seeing_network(shape, "model.text_model", vb, None)?.keeping(loading.kv_cache);
    let meter = loading.meter.clone();
    let eye = TileEye { eye, rule };
    Ok(TextGenerator::new(SeeingDecoder { text: network, eye, token, meter }, parts))
}

/// How a picture becomes tiles, as `SmolVLMImageProcessor` with Pillow does it.
struct TileRule {
    name: String,
    /// The longer edge of a picture is resized to this.
    longest: usize,
    /// The side of a tile.
    tile: usize,
    splits: bool,
    filter: Filter,
    normalise: ([f32; 3], [f32; 3]),
}

/// No edge is longer than this, whatever a file states.
const LONGEST: usize = 4096;

impl TileRule {
    /// Reads the settings. `most` limits the pixels of a picture before it is cut. Fails if a value is out of range.
    fn read(config: &Config, most: Option<usize>) -> std::result::Result<TileRule, Fault> {
        for key in ["do_resize", "do_rescale", "do_normalize"] {
            if config.truth(key)? == Some(false) {
                return Err(config.unsupported(key));
            }
        }
        let edge = |part: &str, usual: usize| -> std::result::Result<usize, Fault> {
            Ok(config.part(part)?.count("longest_edge", 1..=1 << 16)?.unwrap_or(usual).min(LONGEST))
        };
        let (longest, tile) = (edge("size", 4 * 364)?, edge("max_image_size", 364)?);
        let limit = most.map_or(LONGEST, |most| most.isqrt() / tile * tile).max(tile);
        let filter = config.count("resample", 0..=5)?.map_or(Ok(Filter::Lanczos), Filter::numbered);
        Ok(TileRule {
            name: config.name().to_owned(),
            longest: longest.min(limit),
            tile,
            splits: config.truth("do_image_splitting")?.unwrap_or(true),
            filter: filter.map_err(Fault::model)?,
            normalise: (
                config.triple("image_mean", -1e3..=1e3)?.unwrap_or([0.5; 3]),
                config.triple("image_std", 1e-6..=1e3)?.unwrap_or([0.5; 3]),
            ),
        })
    }

    /// Height and width after the longer edge was set to `longest`. The other edge is even, or 1 at least.
    fn scaled(&self, height: usize, width: usize) -> (usize, usize) {
        let ratio = width as f64 / height as f64;
        let even = |side: f64| (side as usize + (side as usize) % 2).max(1);
        match width >= height {
            true => (even(self.longest as f64 / ratio), self.longest),
            false => (self.longest, even(self.longest as f64 * ratio)),
        }
    }

    /// Height and width as multiples of a tile.
    fn whole_tiles(&self, height: usize, width: usize) -> (usize, usize) {
        let (ratio, tile) = (width as f64 / height as f64, self.tile);
        let up = |side: usize| side.div_ceil(tile).max(1) * tile;
        match width >= height {
            true => (up((up(width) as f64 / ratio) as usize), up(width)),
            false => (up(height), up((up(height) as f64 * ratio) as usize)),
        }
    }

    fn resized(&self, picture: &RgbImage, (height, width): (usize, usize)) -> std::result::Result<RgbImage, Fault> {
        let from = (picture.width() as usize, picture.height() as usize);
        let pixels = crate::infer::resample::resample(
            picture.as_raw(),
            from,
            (width, height),
            (&(0..width), &(0..height)),
            self.filter,
        );
        let made = RgbImage::from_raw(width as u32, height as u32, pixels);
        made.ok_or_else(|| Fault::media("a picture has another size than its pixels: this is a bug".to_owned()))
    }

    /// The tiles of a picture row by row, then the whole; and the numbers of rows and columns, 0 if it is not cut.
    fn apply(&self, picture: &RgbImage) -> std::result::Result<(Vec<RgbImage>, (usize, usize)), Fault> {
        if picture.width() == 0 || picture.height() == 0 {
            return Err(Fault::media("the picture has no pixels".to_owned()));
        }
        let mut picture = self.resized(picture, self.scaled(picture.height() as usize, picture.width() as usize))?;
        let whole = (self.tile, self.tile);
        if !self.splits {
            return Ok((vec![self.resized(&picture, whole)?], (0, 0)));
        }
        picture = self.resized(&picture, self.whole_tiles(picture.height() as usize, picture.width() as usize))?;
        let (rows, columns) = (picture.height() as usize / self.tile, picture.width() as usize / self.tile);
        if (rows, columns) == (1, 1) {
            return Ok((vec![picture], (0, 0)));
        }
        let side = self.tile as u32;
        let places = (0..rows as u32).flat_map(|row| (0..columns as u32).map(move |column| (row, column)));
        let mut tiles: Vec<RgbImage> = places
            .map(|(row, column)| imageops::crop_imm(&picture, column * side, row * side, side, side).to_image())
            .collect();
        tiles.push(self.resized(&picture, whole)?);
        Ok((tiles, (rows, columns)))
    }

    /// The values of a tile, (3, tile, tile).
    fn values(&self, tile: &RgbImage) -> std::result::Result<Vec<f32>, Fault> {
        let sides = (self.tile as u32, self.tile as u32);
        let resize = (Resize::Exact(sides.0, sides.1), Filter::Box);
        Ok(Preparation::plain(&self.name, resize, sides, self.normalise)?.apply(tile)?.0)
    }
}

/// The tower with the map to the decoder.
struct Eye {
    patches: Patches,
    /// (patches of a tile, width)
    positions: Tensor,
    blocks: TowerBlocks,
    norm: LayerNorm,
    /// The map of joined states.
    map: Linear,
    /// The states of a square of this side are joined.
    factor: usize,
    /// The patches of a tile's side.
    side: usize,
    device: Device,
    dtype: DType,
}

impl Eye {
    fn load(
        shape: TowerShape,
        (table, patch, side): (usize, usize, usize),
        factor: usize,
        out: usize,
        vb: &VarBuilder<'_>,
    ) -> Result<Eye> {
        let (w, v) = (shape.width, vb.pp("vision_model"));
        let positions = v.get((table * table, w), "embeddings.position_embedding.weight")?;
        let rows = Tensor::new(places(side, table), vb.device())?;
        Ok(Eye {
            patches: Patches::load(w, patch, &v.pp("embeddings.patch_embedding"))?,
            positions: positions.index_select(&rows, 0)?,
            blocks: shape.blocks(&v)?,
            norm: ops::layer_norm(w, shape.eps, v.pp("post_layernorm"))?,
            map: ops::linear_without_bias(w * factor * factor, out, vb.pp("connector.modality_projection.proj"))?,
            factor,
            side,
            device: vb.device().clone(),
            dtype: vb.dtype(),
        })
    }

    /// The vectors of a tile, (vectors, width of the decoder).
    fn see(&self, values: Vec<f32>, tile: usize) -> Result<Tensor> {
        let pixels = Tensor::from_vec(values, (1, 3, tile, tile), &self.device)?.to_dtype(self.dtype)?;
        let x = self.patches.forward(&pixels)?.broadcast_add(&self.positions)?;
        let x = self.norm.forward(&self.blocks.forward(x, Sees::All)?)?;
        let (side, factor, width) = (self.side, self.factor, x.dim(2)?);
        let joined = x
            .reshape(&[side / factor, factor, side / factor, factor * width][..])?
            .transpose(1, 2)?
            .reshape((side * side / (factor * factor), factor * factor * width))?;
        self.map.forward(&joined)
    }

    /// The number of vectors of a tile.
    fn vectors(&self) -> usize {
        self.side * self.side / (self.factor * self.factor)
    }
}

/// The rows of the table of positions for `side` × `side` patches, in single precision as the reference computes them: the share of the
/// side at which a patch begins, among the shares of the table.
fn places(side: usize, table: usize) -> Vec<u32> {
    let step = 1.0 / table as f64;
    let count = ((1.0 - step) / step).ceil().max(0.0) as usize;
    let bounds: Vec<f32> = (0..count).map(|n| (step + n as f64 * step) as f32).collect();
    let share = 1.0 / side as f32;
    let bucket = |n: usize| {
        let at = (n as f32 * share).min((1.0 - 1e-6) as f32);
        bounds.iter().filter(|bound| **bound <= at).count()
    };
    let buckets: Vec<usize> = (0..side).map(bucket).collect();
    buckets.iter().flat_map(|row| buckets.iter().map(move |column| (row * table + column) as u32)).collect()
}

/// The mark of a picture in a prompt, and of each of its vectors.
const MARK: &str = "<image>";

/// The text that takes the place of a picture's mark.
fn prompt_text(vectors: usize, (rows, columns): (usize, usize)) -> String {
    const FAKE: &str = "<fake_token_around_image>";
    let marks = MARK.repeat(vectors);
    let mut text = String::new();
    for row in 1..=rows {
        for column in 1..=columns {
            text.push_str(&format!("{FAKE}<row_{row}_col_{column}>{marks}"));
        }
        text.push('\n');
    }
    if rows > 0 {
        text.push('\n');
    }
    text + &format!("{FAKE}<global-img>{marks}{FAKE}")
}

/// The tower with the tiles of its pictures.
struct TileEye {
    eye: Eye,
    rule: TileRule,
}

impl PictureEye for TileEye {
    const MARK: &'static str = MARK;

    fn look(&self, picture: &RgbImage, meter: &Meter) -> std::result::Result<PictureStates, Fault> {
        let (tiles, grid) = self.rule.apply(picture)?;
        let each = self.eye.vectors();
        let values = tiles.iter().map(|tile| self.rule.values(tile));
        let values = values.collect::<std::result::Result<Vec<_>, Fault>>()?;
        let look = || values.into_iter().map(|values| self.eye.see(values, self.rule.tile)).collect::<Result<Vec<_>>>();
        let states = meter.time(Phase::Picture, 1, look).and_then(|tiles| Tensor::cat(&tiles, 0)).map_err(failed)?;
        let vectors = (tiles.len() * each) as u32;
        Ok(PictureStates { grid: (1, vectors), states, deep: Vec::new(), text: prompt_text(each, grid) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_those_of_transformers() {
        let name = "preprocessor_config.json".to_owned();
        let (filter, normalise) = (Filter::Lanczos, ([0.5; 3], [0.5; 3]));
        let rule = TileRule { name, longest: 2048, tile: 512, splits: true, filter, normalise };
        // the functions of transformers.models.smolvlm.image_processing_pil_smolvlm
        assert_eq!(rule.scaled(480, 640), (1536, 2048));
        assert_eq!(rule.scaled(500, 333), (2048, 1364));
        assert_eq!(rule.scaled(9, 1300), (14, 2048));
        assert_eq!(rule.whole_tiles(1536, 2048), (1536, 2048));
        assert_eq!(rule.whole_tiles(2048, 1364), (2048, 1536));
        assert_eq!(rule.whole_tiles(14, 2048), (512, 2048));
        assert!(prompt_text(2, (0, 0)).ends_with("<global-img><image><image><fake_token_around_image>"));
    }
}
