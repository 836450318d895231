//! CLIP images a second at batch 1, 8 and 32, on the checkpoint folder named by `ELENCHUS_CLIP_BENCH`.
//!
//! `benches/clip.py` makes that folder (random weights of ViT-B/32's width, half its depth), runs this and PyTorch in turn on
//! two threads, and prints the ratios. Alone it prints one JSON line: `{"1": images_per_second, …}`.

use candle_core::{DType, Device};
use elenchus::{
    exchange::Decoding,
    infer::{
        checkpoint::Checkpoint,
        job::{Input, Job, Model, Work},
    },
    models::{self, Loading},
};
use image::RgbImage;
use std::{path::PathBuf, sync::Arc, time::Instant};

/// At least this long is measured for each batch size, after one call to warm up.
const SECONDS: f64 = 4.0;

fn main() {
    let Some(folder) = std::env::var_os("ELENCHUS_CLIP_BENCH").map(PathBuf::from) else {
        eprintln!("set ELENCHUS_CLIP_BENCH to a CLIP checkpoint folder, or run benches/clip.py");
        return;
    };
    let checkpoint = Checkpoint::open(&folder).expect("a checkpoint folder");
    let loading = Loading { device: Device::Cpu, dtype: DType::F32, decode: Decoding::default(), context_tokens: None };
    let mut model = (models::family(Some("clip"), &checkpoint.config).expect("a family").load)(&checkpoint, &loading)
        .expect("a model");
    // The model's own size, so that neither side's resizing is measured.
    let side = checkpoint.config.part("vision_config").count("image_size").unwrap_or(224) as u32;
    let picture = Arc::new(RgbImage::from_fn(side, side, |x, y| image::Rgb([(x % 251) as u8, (y % 241) as u8, 90])));
    let rates: Vec<String> =
        [1, 8, 32].iter().map(|batch| format!("\"{batch}\": {:.2}", rate(&mut *model, &picture, *batch))).collect();
    println!("{{{}}}", rates.join(", "));
}

/// Images a second at this batch size.
fn rate(model: &mut dyn Model, picture: &Arc<RgbImage>, batch: usize) -> f64 {
    let mut call = || {
        let work = || Work::Embed { what: Input::Image(picture.clone()) };
        let (jobs, answers): (Vec<_>, Vec<_>) = (0..batch).map(|_| Job::new(work(), 0, None)).unzip();
        model.answer(jobs);
        for answer in answers {
            answer.blocking_recv().expect("an answer").expect("a vector");
        }
    };
    call();
    let (start, mut images) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < SECONDS {
        call();
        images += batch;
    }
    f64::from(images as u32) / start.elapsed().as_secs_f64()
}
