//! `detect`: boxes for words in a picture.

use super::{Exchange, Item, LabelList, MediaRef, Modalities, Modality, ScriptReply, script};
use serde::{Deserialize, Serialize};

/// The least score of a box if a request states none: the threshold of OWLv2's processor in transformers.
pub const MIN_SCORE: f32 = 0.1;
/// The greatest overlap of two boxes of one label if a request states none.
pub const MAX_OVERLAP: f32 = 0.5;

/// Asks where `what` shows each of `texts`. The reply has the boxes, best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectRequest {
    /// The picture: an image file, or a frame of a video.
    pub what: Item,
    /// The labels as the author wrote them. Replies contain these.
    pub among: LabelList,
    /// The labels inserted into the template, same length and order. The model reads these.
    pub texts: LabelList,
    /// A box counts if its score is above this, 0 to 1.
    pub min: f32,
    /// Of two boxes with the same label whose overlap (intersection over union) is above this, 0 to 1, the one with the
    /// lower score is dropped.
    pub overlap: f32,
}

/// A box in a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// The label as written in `among`.
    pub label: String,
    /// How certain the model is, 0 to 1.
    pub score: f32,
    /// Left, top, right and bottom in pixels of the upright picture, counted from its upper left corner.
    #[serde(rename = "box")]
    pub area: [f32; 4],
}

impl Detection {
    /// The area of the intersection of both boxes as a share of the area of their union, 0 to 1.
    pub fn overlap(&self, other: &Detection) -> f32 {
        let ([a, b], size) =
            ([self.area, other.area], |[x0, y0, x1, y1]: [f32; 4]| (x1 - x0).max(0.0) * (y1 - y0).max(0.0));
        let both = size([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
        let either = size(a) + size(b) - both;
        if either > 0.0 { both / either } else { 0.0 }
    }
}

/// Non-maximum suppression: the boxes, best first, without those that overlap a better one of the same label by more than `most`.
pub fn suppressed(mut found: Vec<Detection>, most: f32) -> Vec<Detection> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Detection> = Vec::new();
    for one in found {
        if !kept.iter().any(|better| better.label == one.label && better.overlap(&one) > most) {
            kept.push(one);
        }
    }
    kept
}

impl Exchange for DetectRequest {
    type Reply = Vec<Detection>;
    const USUAL: Modalities = Modalities::of(&[Modality::Image]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        self.what.media().into_iter().collect()
    }

    fn items(&self) -> Vec<Item> {
        vec![self.what.clone()]
    }

    fn fits(&self, reply: &Vec<Detection>) -> Result<(), String> {
        for Detection { label, score, area: area @ [x0, y0, x1, y1] } in reply {
            if !self.among.contains(label) {
                return Err(format!("found the label `{label}`, which was not asked for"));
            }
            let numbers = area.iter().all(|number| number.is_finite() && *number >= 0.0);
            if !numbers || x0 > x1 || y0 > y1 || !(0.0..=1.0).contains(score) {
                return Err(format!(
                    "found the box {area:?} with the score {score} for `{label}`, expected left, top, right and bottom, and a score from 0 to 1"
                ));
            }
        }
        match reply.is_sorted_by(|a, b| a.score >= b.score) {
            true => Ok(()),
            false => Err("found boxes in another order, expected the best first".to_owned()),
        }
    }

    fn words(&self) -> String {
        format!("{}\n{}", self.what.words(), self.texts.join("\n"))
    }

    fn reads_script(written: &ScriptReply) -> bool {
        matches!(written, ScriptReply::Text(_) | ScriptReply::Count(_) | ScriptReply::Scores(_) | ScriptReply::Boxes(_))
    }

    /// Scripted boxes, best first. A label alone has the score 1, and a label or a score has a box of one pixel. An empty text finds nothing.
    fn scripted(&self, written: &ScriptReply) -> Result<Vec<Detection>, String> {
        let one = |label: String, score: f64| Detection { label, score: score as f32, area: [0.0, 0.0, 1.0, 1.0] };
        let mut found = match written {
            ScriptReply::Boxes(boxes) => boxes.clone(),
            ScriptReply::Scores(scores) => scores.iter().map(|(label, score)| one(label.clone(), *score)).collect(),
            other => match other.text() {
                Some(label) if label.is_empty() => Vec::new(),
                Some(label) => vec![one(label.into_owned(), 1.0)],
                None => return Err(script::misfit(other, "a label, labels with scores, or boxes")),
            },
        };
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.fits(&found).map_err(|why| format!("the script's reply does not fit: {why}"))?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(label: &str, score: f32, area: [f32; 4]) -> Detection {
        Detection { label: label.to_owned(), score, area }
    }

    #[test]
    fn overlap_is_intersection_over_union() {
        let of = |a, b| found("a", 1.0, a).overlap(&found("b", 1.0, b));
        assert_eq!(of([0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0]), 1.0);
        assert_eq!(of([0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]), 1.0 / 3.0);
        assert_eq!(of([0.0, 0.0, 1.0, 1.0], [2.0, 2.0, 3.0, 3.0]), 0.0);
        assert_eq!(of([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]), 0.0);
    }

    #[test]
    fn a_worse_box_of_the_same_label_is_dropped() {
        let boxes = vec![
            found("cup", 0.3, [1.0, 0.0, 10.0, 10.0]),
            found("cup", 0.9, [0.0, 0.0, 10.0, 10.0]),
            found("key", 0.2, [0.0, 0.0, 10.0, 10.0]),
            found("cup", 0.4, [20.0, 0.0, 30.0, 10.0]),
        ];
        let kept = |most| suppressed(boxes.clone(), most).iter().map(|one| one.score).collect::<Vec<_>>();
        assert_eq!(kept(0.5), [0.9, 0.4, 0.2]);
        assert_eq!(kept(1.0), [0.9, 0.4, 0.3, 0.2]);
    }
}
