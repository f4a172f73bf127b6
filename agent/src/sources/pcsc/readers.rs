//! The attached readers, with the state that PC/SC last reported for each.

use std::ffi::CString;
use std::time::{Duration, Instant};

use pcsc::{PNP_NOTIFICATION, ReaderState, State};
use yomitori_observation::flap::Flaps;
use yomitori_observation::tap::{Snapshot, Taps};
use yomitori_observation::{Moment, Sighting, reader};
use yomitori_proto::event::{ReaderAttached, ReaderDetached};
use yomitori_proto::id::{ReaderKey, TerminalId};

use crate::config::RoleRules;
use crate::outlet::{Outlet, RecorderClosed};
use crate::telemetry;

/// pcsc-lite accepts 16 states a call; one of them is for readers that are attached or detached.
const LIMIT: usize = 15;
/// How long readers count as attached while the resource manager does not answer: its restart detaches no reader.
const GRACE: Duration = Duration::from_secs(5);

pub(super) struct Readers {
    terminal: TerminalId,
    roles: RoleRules,
    taps: Taps,
    flaps: Flaps,
    /// The states of the readers, and of the notification about attached and detached readers.
    states: Vec<ReaderState>,
    attached: Vec<AttachedReader>,
    lost_at: Option<Instant>,
    /// PC/SC has not answered yet.
    is_new: bool,
    too_many: bool,
}

struct AttachedReader {
    name: CString,
    key: ReaderKey,
    /// The last snapshot. It is compared here because the state that PC/SC keeps is not reliable.
    last: Option<Snapshot>,
}

impl Readers {
    pub(super) fn new(terminal: TerminalId, roles: RoleRules) -> Self {
        Self {
            terminal,
            roles,
            taps: Taps::default(),
            flaps: Flaps::default(),
            states: Vec::new(),
            attached: Vec::new(),
            lost_at: None,
            is_new: true,
            too_many: false,
        }
    }

    /// Whether PC/SC has never answered.
    pub(super) const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Updates the attached readers from a listing.
    pub(super) fn update(&mut self, names: &[CString], now: Moment, outlet: &Outlet) -> Result<(), RecorderClosed> {
        self.is_new = false;
        self.lost_at = None;
        let watched = names.iter().filter(|name| self.roles.watch(&name.to_string_lossy()));
        let names = watched.cloned().collect::<Vec<_>>();
        if names.len() > LIMIT && !self.too_many {
            self.too_many = true;
            telemetry::too_many_readers(names.len(), LIMIT);
        }
        let names = names.get(..LIMIT).unwrap_or(&names);
        for gone in self.detach(now, outlet, |reader| !names.contains(&reader.name))? {
            self.flaps.detached(gone, now).map_or(Ok(()), |flapping| outlet.send(flapping))?;
        }
        for name in names {
            if self.attached.iter().all(|reader| reader.name != *name) {
                self.attach(name, now, outlet)?;
            }
        }
        let pnp = PNP_NOTIFICATION();
        self.states.retain(|state| state.name() == pnp || names.iter().any(|name| state.name() == name.as_c_str()));
        for name in std::iter::once(pnp).chain(names.iter().map(CString::as_c_str)) {
            if self.states.iter().all(|state| state.name() != name) {
                self.states.push(ReaderState::new(name, State::UNAWARE));
            }
        }
        self.states.iter_mut().for_each(ReaderState::sync_current_state);
        Ok(())
    }

    /// The states to wait on.
    pub(super) fn states(&mut self) -> &mut [ReaderState] {
        &mut self.states
    }

    /// Reads the states after a wait; returns whether anything has changed.
    pub(super) fn read_states(&mut self, now: Moment) -> bool {
        let mut changed = false;
        for state in &self.states {
            let flags = state.event_state();
            let Some(reader) = self.attached.iter_mut().find(|reader| reader.name.as_c_str() == state.name()) else {
                changed |= flags.contains(State::CHANGED);
                continue;
            };
            if flags.intersects(State::UNKNOWN | State::IGNORE | State::UNAVAILABLE) {
                continue;
            }
            let snapshot = Snapshot {
                present: flags.contains(State::PRESENT),
                in_use: flags.contains(State::INUSE),
                exclusive: flags.contains(State::EXCLUSIVE),
                mute: flags.contains(State::MUTE),
                atr: state.atr().to_vec(),
                event_count: (state.event_count() & 0xFFFF) as u16,
            };
            if reader.last.as_ref() != Some(&snapshot) {
                changed = true;
                self.taps.observe(reader.key, &snapshot, now);
                reader.last = Some(snapshot);
            }
        }
        changed
    }

    /// Handles that the resource manager does not answer.
    pub(super) fn service_lost(&mut self, now: Moment, outlet: &Outlet) -> Result<(), RecorderClosed> {
        self.states.clear();
        let lost_at = *self.lost_at.get_or_insert_with(|| {
            for reader in &mut self.attached {
                reader.last = None;
                self.taps.detached(reader.key, now);
            }
            now.steady
        });
        if now.steady - lost_at >= GRACE {
            self.detach(now, outlet, |_| true)?;
        }
        self.report_ended(now, outlet)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.taps.deadline()
    }

    pub(super) fn report_ended(&mut self, now: Moment, outlet: &Outlet) -> Result<(), RecorderClosed> {
        self.taps.ended(now).into_iter().try_for_each(|tap| outlet.send(tap))
    }

    pub(super) fn stop(&mut self, now: Moment, outlet: &Outlet) -> Result<(), RecorderClosed> {
        self.taps.stop(now).into_iter().try_for_each(|tap| outlet.send(tap))
    }

    fn attach(&mut self, name: &CString, now: Moment, outlet: &Outlet) -> Result<(), RecorderClosed> {
        let raw = name.to_string_lossy();
        let parsed = reader::Name::parse(&raw);
        let (key, model) = (parsed.key(self.terminal), reader::model(&parsed));
        telemetry::reader_attached(key, model.map(|model| model.id.as_str()));
        self.attached.push(AttachedReader { name: name.clone(), key, last: None });
        outlet.send(Sighting::now(
            now.wall,
            ReaderAttached {
                reader: key,
                model: model.map(|model| model.id.clone()),
                vid: model.and_then(reader::Model::vid),
                pid: model.and_then(reader::Model::pid),
                role: self.roles.role_of(&raw, &parsed),
            },
        ))
    }

    fn detach(
        &mut self,
        now: Moment,
        outlet: &Outlet,
        is_gone: impl Fn(&AttachedReader) -> bool,
    ) -> Result<Vec<ReaderKey>, RecorderClosed> {
        let mut gone = Vec::new();
        for reader in self.attached.extract_if(.., |reader| is_gone(reader)) {
            telemetry::reader_detached(reader.key);
            self.taps.detached(reader.key, now);
            outlet.send(Sighting::now(now.wall, ReaderDetached { reader: reader.key }))?;
            gone.push(reader.key);
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests;
