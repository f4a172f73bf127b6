//! The official software on the terminal: the versions in its `Version.info` files, and whether its programs run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::SystemTime;

use yomitori_observation::{Sighting, version};
use yomitori_proto::event::{ComponentStateObserved, SoftwareVersionsObserved};
use yomitori_proto::vocabulary::{Component, ComponentState};

use crate::config::{Program, VersionFiles};
use crate::outlet::{Outlet, RecorderClosed};
use crate::{clock, system};

/// The three version files and the last report about them.
pub(super) struct Versions {
    files: VersionFiles,
    /// When each file last changed; `None` for a missing file.
    read: Option<[Option<SystemTime>; 3]>,
    reported: Option<SoftwareVersionsObserved>,
}

impl Versions {
    pub(super) const fn new(files: VersionFiles) -> Self {
        Self { files, read: None, reported: None }
    }

    /// Reports the versions at the first call and whenever one has changed.
    pub(super) fn check(&mut self, outlet: &Outlet) -> Result<(), RecorderClosed> {
        let VersionFiles { com_app, distro_app, auth } = &self.files;
        let files = [com_app, distro_app, auth].map(Option::as_deref);
        let changed = files.map(|file| file?.metadata().and_then(|file| file.modified()).ok());
        if self.read == Some(changed) {
            return Ok(());
        }
        self.read = Some(changed);
        let [com_app, distro_app, auth] = files.map(|file| read(file?));
        let versions = SoftwareVersionsObserved { com_app, distro_app, auth, os_build: system::version() };
        let nothing = SoftwareVersionsObserved { com_app: None, distro_app: None, auth: None, os_build: None };
        if self.reported.as_ref().unwrap_or(&nothing) == &versions {
            return Ok(());
        }
        self.reported = Some(versions.clone());
        outlet.send(Sighting::now(clock::now(), versions))
    }
}

fn read(file: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(version::LONGEST as u64).read_to_end(&mut bytes).ok()?;
    version::read(&bytes)
}

/// The programs and the last report about each.
pub(super) struct Programs {
    programs: Vec<Program>,
    reported: BTreeMap<Component, ComponentState>,
}

impl Programs {
    pub(super) const fn new(programs: Vec<Program>) -> Self {
        Self { programs, reported: BTreeMap::new() }
    }

    /// Reports the state of each program at the first call and whenever it has changed.
    pub(super) fn check(&mut self, outlet: &Outlet) -> Result<(), RecorderClosed> {
        for Program { component, name, path } in &self.programs {
            let is_there = path.as_ref().is_none_or(|path| path.exists());
            let state = if is_there { system::state(name) } else { Some(ComponentState::Missing) };
            let Some(state) = state else { continue };
            if self.reported.insert(*component, state) != Some(state) {
                outlet.send(Sighting::now(clock::now(), ComponentStateObserved { component: *component, state }))?;
            }
        }
        Ok(())
    }
}
