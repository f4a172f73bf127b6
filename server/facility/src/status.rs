//! A facility at one instant for people and programs: every axis with its reason, every flag with its next step.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::code::Prefecture;
use yomitori_proto::id::FacilityId;
use yomitori_proto::vocabulary::{PhoneNative, Purchase, PurchaseRoute};

use crate::calendar::Calendar;
use crate::cause::{Cause, FaceReaderModel, Fallback};
use crate::collection::CollectionLimit;
use crate::desk::DeskEntry;
use crate::discrepancy::FlagStatus;
use crate::due::LookAt;
use crate::equipment::{Equipment, ReaderStatus};
use crate::evidence::{Eligible, Evidence, Superseded};
use crate::facility::Facility;
use crate::freshness::{Freshness, TerminalStatus};
use crate::identity::CodeStatus;
use crate::intent::{IntentStatement, Wish};
use crate::listing::{Lag, Listing};
use crate::opt_out::OptOutStatus;
use crate::readiness::ReadinessStep;
use crate::rules::Rules;
use crate::text::{Axis, Text, Word};
use crate::timeline::StatusWords;
use crate::view::View;

/// The complete status of a facility at one instant.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Status {
    pub facility: FacilityId,
    pub at: DateTime<Utc>,
    /// Time at which the newest fact reached the server.
    pub data_as_of: Option<DateTime<Utc>>,
    /// The next change by the passing of time alone.
    pub due_at: Option<DateTime<Utc>>,
    pub rules_version: u32,
    pub name: Option<String>,
    /// Two digits.
    pub prefecture: Option<String>,
    pub prefecture_label: Option<Text>,
    pub address: Option<String>,
    pub codes: Vec<CodeStatus>,
    pub equipment: Axis<Equipment>,
    pub face_reader: Option<FaceReaderStatus>,
    pub readers: Vec<ReaderStatus>,
    pub purchases: Vec<PurchaseStatus>,
    pub evidence: Axis<Evidence>,
    /// Corrections of evidence that had been shown, oldest first.
    pub superseded: Vec<Superseded>,
    pub eligible: Axis<Eligible>,
    pub intent: Axis<Wish>,
    /// Newest first.
    pub intent_history: Vec<IntentStatement>,
    pub opt_out: Axis<OptOutStatus>,
    /// A warning about the hour of the call.
    pub call_warning: Option<Text>,
    pub listing: Axis<Listing>,
    pub lag: Lag,
    pub freshness: Axis<Freshness>,
    pub connected: bool,
    pub last_seen_at: Option<DateTime<Utc>>,
    pub terminals: Vec<TerminalStatus>,
    /// The limit that people set for collection; `None` if there is none.
    pub collection_limit: Option<CollectionLimit>,
    pub readiness: Vec<ReadinessStep>,
    pub fallbacks: Vec<CountedWord>,
    pub failure_causes: Vec<CountedWord>,
    /// Most urgent first.
    pub flags: Vec<FlagStatus>,
}

/// The face reader at the desk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FaceReaderStatus {
    pub model: String,
    /// The maker's name, if the table knows the model.
    pub name: Option<Cow<'static, str>>,
    pub phone_native: PhoneNative,
    pub label: Text,
}

/// A purchase and its route.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PurchaseStatus {
    pub item: Purchase,
    pub label: Text,
    pub route: PurchaseRoute,
    pub stated_at: DateTime<Utc>,
}

/// The number of uses of a fallback, or of mentions of a cause.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CountedWord {
    pub id: String,
    pub count: u32,
    /// `None` if the table doesn't know the identifier.
    pub label: Option<Text>,
    pub next: Option<Text>,
}

/// The status of `facility` at `now`.
#[must_use]
pub fn status(facility: &Facility, rules: &Rules, calendar: &Calendar, now: DateTime<Utc>) -> Status {
    let moment = LookAt::new(now);
    let status = View::new(facility, rules, calendar, &moment).status();
    Status { due_at: moment.next(), ..status }
}

impl Status {
    /// Every axis as a word.
    #[must_use]
    pub fn words(&self) -> StatusWords {
        StatusWords {
            code: self.codes.iter().find(|code| code.valid).map(|code| code.code.clone()),
            name: self.name.iter().flat_map(|name| name.chars()).take(NAME_IN_A_ROW).collect(),
            prefecture: self.prefecture.clone().unwrap_or_default(),
            eligible: self.eligible.key(),
            evidence: self.evidence.key(),
            evidence_level: self.evidence.value.level().map(|level| level.key()),
            equipment: self.equipment.key(),
            intent: self.intent.key(),
            opt_out: self.opt_out.key(),
            listing: self.listing.key(),
            freshness: self.freshness.key(),
            flags: self.flags.iter().map(|flag| flag.key.key()).collect(),
        }
    }
}

/// A row has at most this many characters of a name, as many as people may give: PostgreSQL refuses an index entry of more
/// than about 2,700 bytes.
const NAME_IN_A_ROW: usize = 200;

impl View<'_> {
    /// Notices and restarts of signed-in people and of terminals together.
    pub(crate) fn desk_notices(&self) -> impl Iterator<Item = &DeskEntry> {
        let desks = self.facility.terminals.values().map(|terminal| &terminal.desk);
        std::iter::once(&self.facility.desk).chain(desks).flat_map(|desk| desk.notices())
    }

    fn status(&self) -> Status {
        let axes = self.axes();
        let facility = self.facility;
        let (fallbacks, failure_causes) = self.tallied();
        let mut superseded = facility.superseded.clone();
        superseded.sort_by_key(|entry| (entry.received_at, entry.read_at));
        let prefecture = facility.identity.prefecture(|from| self.passed(from)).cloned();
        let prefecture_label =
            prefecture.as_deref().and_then(|number| number.parse().ok()).and_then(Prefecture::from_number);
        Status {
            facility: facility.id,
            at: self.now(),
            data_as_of: facility.received_at,
            due_at: None,
            rules_version: self.rules.version(),
            name: facility.identity.name().cloned(),
            prefecture_label: prefecture_label.map(|known| Text::fixed(known.japanese(), known.english())),
            prefecture,
            address: facility.identity.address().cloned(),
            codes: self.codes(),
            face_reader: self.face_reader(),
            readers: self.readers(),
            purchases: self.purchases(),
            superseded,
            intent_history: facility.intention.statements().iter().rev().cloned().collect(),
            call_warning: self.call_warning(&axes.process, &axes.opt_out.value),
            connected: self.connected(),
            last_seen_at: self.last_heard_at(),
            terminals: self.terminal_statuses(),
            collection_limit: facility.collection.last().map(|(_, limit)| limit.clone()),
            readiness: self.readiness(&axes),
            fallbacks,
            failure_causes,
            flags: self.flag_statuses(&axes),
            lag: self.lag(&axes.total, &axes.process, &axes.opt_out.value),
            equipment: axes.equipment,
            evidence: axes.evidence,
            eligible: axes.eligible,
            intent: axes.intent,
            opt_out: axes.opt_out,
            listing: axes.listing,
            freshness: axes.freshness,
        }
    }

    fn face_reader(&self) -> Option<FaceReaderStatus> {
        let face_reader = self.facility.face_reader()?;
        let phone_native = self.facility.phone_native();
        Some(FaceReaderStatus {
            model: face_reader.model.clone(),
            name: FaceReaderModel::of(&face_reader.model).map(|model| model.name.as_str().into()),
            phone_native,
            label: phone_native.label(),
        })
    }

    fn purchases(&self) -> Vec<PurchaseStatus> {
        let purchases = self.facility.purchases.iter();
        purchases
            .filter_map(|(item, said)| {
                let ((stated_at, _), (_, route)) = said.first().zip(said.last())?;
                Some(PurchaseStatus { item: *item, label: item.label(), route: *route, stated_at })
            })
            .collect()
    }

    fn tallied(&self) -> (Vec<CountedWord>, Vec<CountedWord>) {
        let (mut fallbacks, mut causes) = (BTreeMap::new(), BTreeMap::new());
        self.facility.desk.counts(&mut fallbacks, &mut causes);
        for terminal in self.facility.terminals.values() {
            terminal.desk.counts(&mut fallbacks, &mut causes);
        }
        let fallbacks = fallbacks.into_iter().map(|(id, count)| {
            let known = Fallback::of(&id);
            CountedWord { label: known.map(Fallback::label), next: known.map(Fallback::next_step), id, count }
        });
        let causes = causes.into_iter().map(|(id, count)| {
            let known = Cause::of(&id);
            CountedWord { label: known.map(Cause::sentence), next: known.map(Cause::next_step), id, count }
        });
        (fallbacks.collect(), causes.collect())
    }
}
