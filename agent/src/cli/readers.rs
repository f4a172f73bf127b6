//! `readers`: shows the readers of PC/SC live, for the technician who configures the roles. Reader names are shown here
//! and nowhere else.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use pcsc::{Context, Scope};
use yomitori_observation::reader::{self, Name};
use yomitori_proto::event::Event;
use yomitori_proto::id::{ReaderKey, TerminalId};
use yomitori_proto::vocabulary::{Medium, ReaderRole};

use super::failure::Failure;
use crate::config::Config;
use crate::daemon::stop_requested;
use crate::identity::Identity;
use crate::outlet::{Outlet, Signal};
use crate::sources::pcsc as source;

pub(super) async fn readers(config: Config) -> Result<(), Failure> {
    let identity = Identity::load(&config.state_dir).ok().flatten();
    let terminal = identity.map_or(TerminalId(uuid::Uuid::nil()), |identity| identity.terminal());
    let (outlet, signals) = sync_channel(64);
    let source = source::start(terminal, config.roles, Outlet::new(outlet, Arc::default()))?;
    let shown = tokio::task::spawn_blocking(move || show(terminal, &signals));
    tokio::select! {
        _ = stop_requested() => {}
        // Standard output is closed, so the command ends.
        _ = shown => {}
    }
    drop(source.stop());
    Ok(())
}

fn show(terminal: TerminalId, signals: &Receiver<Signal>) -> io::Result<()> {
    writeln!(io::stdout(), "リーダーを見ています (Ctrl-C で終了)。 / Watching readers; Ctrl-C ends.")?;
    for signal in signals {
        let Signal::Seen { sighting, .. } = signal else { continue };
        let at = sighting.occurred_at.format("%H:%M:%S%.3fZ");
        let mut out = io::stdout().lock();
        match sighting.event {
            Event::ReaderAttached(reader) => {
                let name = name(terminal, reader.reader).unwrap_or_default();
                let model = reader.model.as_deref().unwrap_or("unknown");
                let role = role(reader.role);
                writeln!(out, "{at}  接続 attached  \"{name}\"  model {model}, role {role}, key {}", reader.reader)?;
            }
            Event::ReaderDetached(reader) => writeln!(out, "{at}  取外 detached  key {}", reader.reader)?,
            Event::TapObserved(tap) => writeln!(
                out,
                "{at}  読取 tap       key {}, {} ms, {}×, {}{}{}",
                tap.reader,
                tap.present_ms,
                tap.transitions,
                medium(tap.medium),
                if tap.in_use || tap.exclusive { ", in use" } else { "" },
                if tap.mute { ", mute" } else { "" },
            )?,
            Event::CollectionGap(_) => writeln!(out, "{at}  欠測 gap       PC/SC did not answer until now")?,
            other => writeln!(out, "{at}  {}", other.kind())?,
        }
    }
    Ok(())
}

/// The present PC/SC name of the reader with this key.
fn name(terminal: TerminalId, key: ReaderKey) -> Option<String> {
    names().into_iter().find(|raw| Name::parse(raw).key(terminal) == key)
}

/// The names of the attached readers.
pub(super) fn names() -> Vec<String> {
    let names = Context::establish(Scope::System).and_then(|context| context.list_readers_owned());
    names.unwrap_or_default().iter().map(|name| name.to_string_lossy().into_owned()).collect()
}

/// The catalogue's name for a reader.
pub(super) fn model(raw: &str) -> &'static str {
    reader::model(&Name::parse(raw)).map_or("unknown model / 機種不明", |model| model.name.as_str())
}

/// The configuration's word for a role.
pub(super) const fn role(role: ReaderRole) -> &'static str {
    match role {
        ReaderRole::Phone => "phone",
        ReaderRole::FaceAuth => "face_auth",
        ReaderRole::StaffLogin => "staff_login",
        ReaderRole::Other => "other",
        ReaderRole::Unknown => "not configured / 未設定",
    }
}

const fn medium(medium: Medium) -> &'static str {
    match medium {
        Medium::Unknown => "unknown medium",
        Medium::MyNumberCard => "like a My Number card",
        Medium::FelicaOnly => "FeliCa only",
        Medium::DrivingLicence => "driving licence",
        Medium::ResidentCard => "resident card",
        Medium::OtherTypeB => "other Type B",
        Medium::OtherTypeA => "other Type A",
    }
}
