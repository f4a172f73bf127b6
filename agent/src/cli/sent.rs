//! `sent`: shows everything that this terminal sent, so that a clinic can verify it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use super::failure::Failure;
use crate::config::Config;
use crate::daemon::stop_requested;
use crate::sent::missing::{self, MissingLines};

const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn sent(config: &Config, last: usize, follow: bool) -> Result<(), Failure> {
    let [now, before] = crate::sent::paths(&config.state_dir);
    let mut lines = lines(&before)?;
    lines.extend(self::lines(&now)?);
    let mut out = io::stdout().lock();
    for line in lines.iter().skip(lines.len().saturating_sub(last)) {
        writeln!(out, "{line}")?;
    }
    if let Some(missing) = missing::at_the_end(&config.state_dir) {
        let MissingLines { lines, since } = missing;
        writeln!(
            io::stderr(),
            "ディスクの空きがないため、{since} 以降の {lines} 行が記録されていません。 / {lines} lines since {since} are missing, \
             because the disk is full."
        )?;
    }
    if lines.is_empty() {
        writeln!(io::stderr(), "まだ何も送信していません。 / Nothing has been sent yet.")?;
    }
    if !follow {
        return Ok(());
    }
    let mut seen = length(&now);
    let stop = stop_requested();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            _ = &mut stop => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let length = length(&now);
        // A shorter file is a new file.
        let from = if length < seen { 0 } else { seen };
        if length > from {
            let mut file = File::open(&now)?;
            io::Seek::seek(&mut file, io::SeekFrom::Start(from))?;
            io::copy(&mut file.take(length - from), &mut out)?;
            out.flush()?;
        }
        seen = length;
    }
}

fn lines(path: &Path) -> io::Result<Vec<String>> {
    match File::open(path) {
        Ok(file) => BufReader::new(file).lines().collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |file| file.len())
}
