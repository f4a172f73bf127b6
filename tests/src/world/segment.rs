//! The files of a topic on the disk of a test's own broker, to lose what a power cut would lose.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The head of a batch: its first offset, then the number of bytes that follow.
const HEAD: usize = 12;

/// Cuts the last `batches` batches off the end of a partition; Kafka must be stopped. `folder` is the world's.
///
/// # Errors
/// If the partition has one segment file with more batches than that neither in nor beside it.
pub fn cut_tail(folder: &Path, topic: &str, partition: i32, batches: usize) -> Result<()> {
    let data = folder.join("kafka/data").join(format!("{topic}-{partition}"));
    let files: Vec<PathBuf> = fs::read_dir(&data)
        .with_context(|| format!("list {data:?}"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    let named = |kind: &'static str| files.iter().filter(move |file| file.extension().is_some_and(|end| end == kind));
    let segment = named("log").max().context("a segment")?;
    let bytes = fs::read(segment).context("read the segment")?;
    let (mut ends, mut at) = (vec![0], 0);
    while let Some(head) = bytes.get(at..at + HEAD) {
        let length = usize::try_from(i32::from_be_bytes(head[8..].try_into()?)).context("the length of a batch")?;
        // A segment is allocated ahead with zeros.
        if length == 0 {
            break;
        }
        at += HEAD + length;
        ends.push(at);
    }
    ensure!(ends.len() > batches, "the segment has {} batches", ends.len() - 1);
    let keep = ends[ends.len() - 1 - batches];
    let file = fs::OpenOptions::new().write(true).open(segment).context("open the segment")?;
    file.set_len(u64::try_from(keep)?).context("cut the segment")?;
    // The indexes point past the new end; the broker builds them again when it was not stopped in order.
    for index in named("index").chain(named("timeindex")) {
        fs::remove_file(index).with_context(|| format!("remove {index:?}"))?;
    }
    let mark = folder.join("kafka/data/.kafka_cleanshutdown");
    if mark.exists() {
        fs::remove_file(&mark).context("remove the mark of an orderly stop")?;
    }
    Ok(())
}
