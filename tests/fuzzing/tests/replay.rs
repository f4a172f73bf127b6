//! What the fuzzer found, once more: every input of the corpus, cut off at each of its first bytes, and with one bit
//! changed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use yomitori_fuzzing::TARGETS;

/// How many variations of one input are tried.
const VARIATIONS: usize = 300;

fn corpus(target: &str) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let files = std::fs::read_dir(&folder).with_context(|| format!("list {folder:?}"))?;
    files
        .map(|file| {
            let path = file?.path();
            let bytes = std::fs::read(&path).with_context(|| format!("read {path:?}"))?;
            Ok((path, bytes))
        })
        .collect()
}

#[test]
fn every_input_of_the_corpus_is_answered() -> Result<()> {
    for target in TARGETS {
        let inputs = corpus(target.name)?;
        ensure!(!inputs.is_empty(), "the corpus of {} is empty", target.name);
        for (path, bytes) in inputs {
            println!("{}", path.display());
            (target.run)(&bytes);
            let step = (bytes.len() / VARIATIONS).max(1);
            for place in (0..bytes.len()).step_by(step) {
                (target.run)(&bytes[..place]);
                let mut changed = bytes.clone();
                changed[place] ^= 1 << (place % 8);
                (target.run)(&changed);
            }
        }
    }
    Ok(())
}

#[test]
fn the_corpus_has_no_folder_without_a_target() -> Result<()> {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"))? {
        let name = entry?.file_name().into_string().ok().context("a name")?;
        ensure!(TARGETS.iter().any(|target| target.name == name), "{name} is no target");
    }
    Ok(())
}
