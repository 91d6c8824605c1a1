//! A CSV file is refused in one line, or its points are finite, ascending, and the same when written and
//! read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mirrorflow::setting::Dataset;
use mirrorflow_fuzz::read;

fuzz_target!(|bytes: &[u8]| {
    let Some(data) = read(bytes, Dataset::read_csv) else {
        return;
    };
    assert!(!data.is_empty() && data.x().len() == data.y().len());
    assert!(data.x().iter().chain(data.y()).all(|v| v.is_finite()));
    assert!(data.x().is_sorted_by(|a, b| a < b));
    let [x, y] = [data.x(), data.y()].map(|sorted| data.in_file_order(sorted));
    let lines = x.iter().zip(&y).map(|(x, y)| format!("{x:e},{y:e}\r\n"));
    let text = format!("X, y\n\n{}", lines.collect::<String>());
    assert_eq!(read(text.as_bytes(), Dataset::read_csv), Some(data));
});
