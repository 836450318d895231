//! `/v1/embeddings`: text to a vector of unit length.

use super::RemoteAgent;
use crate::error::Fault;
use crate::exchange::{EmbedRequest, Item};
use serde_json::json;

impl RemoteAgent {
    pub(super) async fn embed(&self, EmbedRequest { what, .. }: EmbedRequest) -> Result<Vec<f32>, Fault> {
        let Item::Text(text) = what else {
            let why = "an endpoint embeds text only; pictures and sound need a local model";
            return Err(Fault::failed(why.to_owned()));
        };
        let body = json!({"model": self.spec.model, "input": text, "encoding_format": "float"});
        let answer = self.wire.json(self.wire.post("embeddings").json(&body)).await?;
        let numbers = answer["data"][0]["embedding"].as_array();
        let vector: Option<Vec<f32>> =
            numbers.and_then(|numbers| numbers.iter().map(|number| number.as_f64().map(|n| n as f32)).collect());
        let vector = vector.ok_or_else(|| self.wire.malformed("contains no embedding", &answer.to_string()))?;
        let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        match length.is_finite() && length > 0.0 {
            true => Ok(vector.into_iter().map(|x| (f64::from(x) / length) as f32).collect()),
            false => Err(Fault::failed("the endpoint's embedding must have a finite length above 0".to_owned())),
        }
    }
}
