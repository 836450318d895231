//! Products with quantised matrices, held once (`infer/quantised`), against candle's own, which are held twice.
//! `cargo bench --bench quantised`
//!
//! Both sides multiply the same numbers in turn; the times are minima. A ratio above 1 means that elenchus is faster. One
//! row of activations is a token of a reply, 8 rows a token of 8 replies each, 512 rows a prompt.

use candle_core::{
    Device, Module, Tensor,
    quantized::{GgmlDType, QMatMul, QTensor},
};
use elenchus::infer::quantised::Quantised;
use std::time::{Duration, Instant};

/// (output, input) of a matrix, and the formats that files of such matrices have: Q8_0, Q4_K_M, Q5_K_M and Q6_K. Rows of 896
/// values are no multiple of 256, so that they have no K formats.
const MATRICES: [((usize, usize), &[GgmlDType]); 2] = [
    ((8192, 1024), &[GgmlDType::Q8_0, GgmlDType::Q4K, GgmlDType::Q5K, GgmlDType::Q6K]),
    ((4864, 896), &[GgmlDType::Q8_0, GgmlDType::Q5_0]),
];
const ROWS: [usize; 3] = [1, 8, 512];
/// The least time of a measurement, in seconds, and its least rounds.
const SECONDS: f64 = 4.0;
const ROUNDS: usize = 3;

fn wave(shape: (usize, usize), step: f32) -> Tensor {
    let values: Vec<f32> = (0..shape.0 * shape.1).map(|i| (i as f32 * step).sin()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor")
}

fn main() {
    println!("| matrix | type | rows | elenchus, ms | candle, ms | ratio of speeds |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (shape, types) in MATRICES {
        let values = wave(shape, 0.37);
        for dtype in types {
            let stored = QTensor::quantize(&values, *dtype).expect("blocks");
            let bytes = stored.data().expect("bytes");
            let row = bytes.len() / shape.0;
            let candles = QMatMul::from_qtensor(QTensor::quantize(&values, *dtype).expect("blocks")).expect("a matrix");
            // packed before the other, so that both copies lie in memory that was not used before
            candles.forward(&wave((2, shape.1), 0.011)).expect("a product");
            let ours = Quantised::read(*dtype, shape, |rows| Ok(bytes[rows.start * row..rows.end * row].to_vec()));
            let ours = ours.expect("a matrix");
            for m in ROWS {
                let x = wave((m, shape.1), 0.011);
                let (mut our_time, mut candles_time) = (Duration::MAX, Duration::MAX);
                let (begun, mut rounds) = (Instant::now(), 0);
                while rounds < ROUNDS || begun.elapsed().as_secs_f64() < SECONDS {
                    our_time = our_time.min(timed(|| ours.forward(&x)));
                    candles_time = candles_time.min(timed(|| candles.forward(&x)));
                    rounds += 1;
                }
                let ms = |time: Duration| time.as_secs_f64() * 1e3;
                let ratio = candles_time.as_secs_f64() / our_time.as_secs_f64();
                let (n, k) = shape;
                println!(
                    "| {n} × {k} | {dtype:?} | {m} | {:.3} | {:.3} | {ratio:.2} |",
                    ms(our_time),
                    ms(candles_time)
                );
            }
        }
    }
}

fn timed(product: impl FnOnce() -> candle_core::Result<Tensor>) -> Duration {
    let start = Instant::now();
    product().expect("a product");
    start.elapsed()
}
