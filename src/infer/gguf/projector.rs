//! The projector of a model that sees: a second GGUF file, `mmproj-….gguf`, beside that of the language model. It has the
//! image tower and the map to the decoder, in the layout of llama.cpp's converter (names: gguf-py, `constants.py`).

use super::{Gguf, Meta};
use crate::{error::Fault, hub::checkpoint::projectors};
use candle_core::{DType, Device, Result as Computed, Tensor};
use candle_nn::VarBuilder;
use serde_json::{Value as Json, json};
use std::{collections::HashMap, path::Path};

/// The pixels of a picture for which published Qwen3-VL models are meant; their files do not state them.
const PICTURE_PIXELS: (u64, u64) = (65_536, 16_777_216);
/// The pixels of all frames of a video.
const VIDEO_PIXELS: (u64, u64) = (4096, 25_165_824);
/// Limits that a hostile file cannot exceed.
const MAX_LAYERS: usize = 1 << 12;

impl Gguf {
    /// The projector beside a file of a model that sees; none if there is none. Fails if there are several, or if it
    /// cannot be read.
    pub(super) fn projector_beside(path: &Path) -> Result<Option<Gguf>, Fault> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match projectors(folder).as_slice() {
            [] => Ok(None),
            [one] => {
                let projector = Gguf::open(one)?;
                let kind = projector.meta().text("clip.projector_type").ok().flatten();
                let kind = kind.or(projector.meta().text("clip.vision.projector_type").ok().flatten());
                match kind {
                    Some("qwen3vl_merger") => Ok(Some(projector)),
                    other => Err(Fault::model(format!(
                        "{} has the projector type {}; expected qwen3vl_merger",
                        one.display(),
                        other.unwrap_or("(none)")
                    ))),
                }
            }
            several => {
                let names: Vec<String> =
                    several.iter().filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned())).collect();
                Err(Fault::model(format!("{} holds several projectors: {}", folder.display(), names.join(", ")))
                    .hint("keep one beside the model, or put the model and one projector into a folder of their own"))
            }
        }
    }

    /// The layers whose states go to the first layers of the decoder.
    fn deep(&self) -> Result<Vec<usize>, String> {
        let marks = self.meta().list("clip.vision.is_deepstack_layers", "truths", |v| v.to_bool().ok())?;
        let marks = marks.unwrap_or_default().into_iter().take(MAX_LAYERS);
        Ok(marks.enumerate().filter(|(_, is_deep)| *is_deep).map(|(layer, _)| layer).collect())
    }

    /// The configuration of a model that sees, from that of its decoder: `text` with the sections of its positions.
    pub(super) fn seeing(&self, mut text: Json, of: &Meta<'_>, tokens: &Meta<'_>) -> Result<Json, String> {
        let sections = of.list("rope.dimension_sections", "whole numbers", super::whole)?.unwrap_or_default();
        let sections: Vec<u64> = if sections.len() >= 3 { sections[..3].to_vec() } else { vec![24, 20, 20] };
        text["model_type"] = json!("qwen3_vl_text");
        text["rope_scaling"] = json!({ "rope_type": "default", "mrope_section": sections });
        let meta = self.meta();
        let need = |key: &str| {
            let key = format!("clip.vision.{key}");
            meta.count(&key)?.filter(|n| *n > 0).ok_or_else(|| format!("has a projector that lacks `{key}`"))
        };
        let table = self.shape("v.position_embd.weight").and_then(|shape| shape.first().copied());
        // a file without its lists has no ids, and needs none
        let listed = tokens.texts("tokenizer.ggml.tokens").ok().flatten().unwrap_or_default();
        let id = |token: &str| listed.iter().position(|known| *known == token);
        Ok(json!({
            "model_type": "qwen3_vl",
            "image_token_id": id("<|image_pad|>"),
            "video_token_id": id("<|video_pad|>"),
            "vision_config": {
                "hidden_size": need("embedding_length")?,
                "intermediate_size": need("feed_forward_length")?,
                "depth": need("block_count")?,
                "num_heads": need("attention.head_count")?,
                "patch_size": need("patch_size")?,
                "spatial_merge_size": meta.count("clip.vision.spatial_merge_size")?.unwrap_or(2),
                "temporal_patch_size": 2,
                "out_hidden_size": need("projection_dim")?,
                "num_position_embeddings": table.ok_or("has a projector that lacks the tensor v.position_embd.weight")?,
                "deepstack_visual_indexes": self.deep()?,
            },
            "text_config": text,
        }))
    }

    /// The settings of pictures, or of videos, as a file of a checkpoint folder states them.
    pub(super) fn pictures(&self, video: bool) -> Result<Json, String> {
        let meta = self.meta();
        let triple = |key: &str| meta.list(key, "numbers", super::number);
        let (fewest, most) = match video {
            true => VIDEO_PIXELS,
            false => (
                meta.count("clip.vision.image_min_pixels")?.unwrap_or(PICTURE_PIXELS.0),
                meta.count("clip.vision.image_max_pixels")?.unwrap_or(PICTURE_PIXELS.1),
            ),
        };
        Ok(json!({
            "size": { "shortest_edge": fewest, "longest_edge": most },
            "image_mean": triple("clip.vision.image_mean")?.unwrap_or(vec![0.5; 3]),
            "image_std": triple("clip.vision.image_std")?.unwrap_or(vec![0.5; 3]),
        }))
    }

    /// The tensors of the projector under the names of a checkpoint folder. Quantised ones become floating.
    pub(crate) fn tower(&self, dtype: DType, device: &Device) -> Result<VarBuilder<'static>, Fault> {
        let deep = self.deep().map_err(|why| Fault::model(format!("{} {why}", self.path.display())))?;
        let tensors = self.weights(device)?;
        let mut all = HashMap::new();
        let mut read = || -> Computed<()> {
            for (name, info) in &self.content.tensor_infos {
                let Some(name_there) = name_in_folder(name, &deep) else { continue };
                let shape = info.shape.dims().to_vec();
                let tensor = match super::is_floating(info.ggml_dtype) {
                    true => tensors.floating(shape, name)?,
                    false => tensors.get(shape, name)?.dequantize(&Device::Cpu)?,
                };
                all.insert(format!("model.visual.{name_there}"), tensor.to_dtype(dtype)?.to_device(device)?);
            }
            // the two frames of a patch are in one tensor
            let frames = ["0", "1"].map(|n| all.remove(&format!("model.visual.patch_embed.proj.{n}")));
            if let [Some(first), Some(second)] = frames {
                let joined = Tensor::stack(&[first, second], 2)?;
                all.insert("model.visual.patch_embed.proj.weight".to_owned(), joined);
            }
            Ok(())
        };
        read().map_err(|error| self.unfit(&error))?;
        Ok(VarBuilder::from_tensors(all, dtype, device))
    }
}

/// The name of a projector's tensor in a checkpoint folder, below `model.visual`.
fn name_in_folder(name: &str, deep: &[usize]) -> Option<String> {
    let whole = match name {
        "v.patch_embd.weight" => "patch_embed.proj.0",
        "v.patch_embd.weight.1" => "patch_embed.proj.1",
        "v.patch_embd.bias" => "patch_embed.proj.bias",
        "v.position_embd.weight" => "pos_embed.weight",
        _ => "",
    };
    if !whole.is_empty() {
        return Some(whole.to_owned());
    }
    let (part, end) = name.rsplit_once('.').filter(|(_, end)| ["weight", "bias"].contains(end))?;
    let own = match part {
        "v.post_ln" => "merger.norm".to_owned(),
        "mm.0" => "merger.linear_fc1".to_owned(),
        "mm.2" => "merger.linear_fc2".to_owned(),
        _ => {
            let (kind, rest) = part.strip_prefix("v.")?.split_once('.')?;
            let (layer, own) = rest.split_once('.')?;
            let layer: usize = layer.parse().ok()?;
            match (kind, own) {
                ("blk", "ln1") => format!("blocks.{layer}.norm1"),
                ("blk", "ln2") => format!("blocks.{layer}.norm2"),
                ("blk", "attn_qkv") => format!("blocks.{layer}.attn.qkv"),
                ("blk", "attn_out") => format!("blocks.{layer}.attn.proj"),
                ("blk", "ffn_up") => format!("blocks.{layer}.mlp.linear_fc1"),
                ("blk", "ffn_down") => format!("blocks.{layer}.mlp.linear_fc2"),
                ("deepstack", own) => {
                    let place = deep.iter().position(|known| *known == layer)?;
                    let own = match own {
                        "norm" => "norm",
                        "fc1" => "linear_fc1",
                        "fc2" => "linear_fc2",
                        _ => return None,
                    };
                    format!("deepstack_merger_list.{place}.{own}")
                }
                _ => return None,
            }
        }
    };
    Some(format!("{own}.{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_a_checkpoint_folder() {
        let check = |name: &str| name_in_folder(name, &[5, 11]);
        assert_eq!(check("v.blk.3.attn_qkv.weight").as_deref(), Some("blocks.3.attn.qkv.weight"));
        assert_eq!(check("v.deepstack.11.fc2.bias").as_deref(), Some("deepstack_merger_list.1.linear_fc2.bias"));
        assert_eq!(check("mm.2.weight").as_deref(), Some("merger.linear_fc2.weight"));
        assert_eq!(check("v.deepstack.4.fc2.bias"), None, "a layer that is not marked");
        assert_eq!(check("v.blk.x.ln1.bias"), None);
    }
}
