//! Commands by which a person states something of a facility. Each becomes a fact with who, when and why.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use yomitori_proto::event::{
    Event, FaceReaderModelSet, ListingIntentSet, OptOutAcknowledged, OptOutCallMade, OptOutCallPlanned,
    OptOutWithdrawn, ReaderRoleAssigned, SmartphoneReadAttested, Stated,
};
use yomitori_proto::id::{FacilityId, ReaderKey, TerminalId};
use yomitori_proto::vocabulary::{Intent, PhoneNative, PhoneOs, ReaderRole};

use super::output::say;
use super::{Desk, instant};
use crate::clock;
use crate::ingest::operator::Answered;

/// Who says so, and why.
#[derive(Args)]
pub(super) struct Speaker {
    /// Who states it; by default who is logged in here.
    #[arg(long)]
    by: Option<String>,
    /// Why, in a few words.
    #[arg(long)]
    pub(super) why: Option<String>,
}

impl Speaker {
    pub(super) fn by(&self) -> String {
        let logged_in = || std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).ok();
        self.by.clone().or_else(logged_in).unwrap_or_else(|| "console".to_owned())
    }
}

/// Who says so, where it must not be said without a reason.
#[derive(Args)]
pub(super) struct Reasoned {
    /// Who states it; by default who is logged in here.
    #[arg(long)]
    by: Option<String>,
    /// Why, in a few words.
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    why: String,
}

impl From<Reasoned> for Speaker {
    fn from(Reasoned { by, why }: Reasoned) -> Self {
        Self { by, why: Some(why) }
    }
}

#[derive(Subcommand)]
pub(super) enum OptOut {
    /// Record what is wanted, or how far the call has got.
    Record {
        #[arg(value_enum)]
        what: OptOutStep,
        /// One of the facility's institution codes.
        #[arg(long)]
        facility: String,
        /// When it happened or is planned, such as 2026-04-01T10:30:00+09:00; by default now.
        #[arg(long, value_parser = instant::parse)]
        at: Option<DateTime<Utc>>,
        /// What the call centre gave as its reference.
        #[arg(long)]
        reference: Option<String>,
        #[command(flatten)]
        speaker: Speaker,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum OptOutStep {
    /// The group does not want the facility on the list.
    DoNotWant,
    /// The group wants it on the list.
    Want,
    /// The group has not decided.
    Undecided,
    /// Somebody will telephone the call centre.
    CallPlanned,
    /// Somebody has telephoned.
    Called,
    /// The call centre has confirmed.
    Acknowledged,
    /// It is to be listed after all.
    Withdrawn,
}

#[derive(Subcommand)]
pub(super) enum Reader {
    /// Assign what a reader is for; `status --facility CODE` shows the readers and their keys.
    Role {
        #[arg(long)]
        facility: String,
        #[arg(long)]
        terminal: TerminalId,
        /// The reader's key, 16 hexadecimal digits.
        #[arg(long)]
        reader: ReaderKey,
        #[arg(long, value_enum)]
        role: Role,
        #[command(flatten)]
        speaker: Speaker,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Role {
    Phone,
    FaceAuth,
    StaffLogin,
    Other,
}

#[derive(Subcommand)]
pub(super) enum FaceReader {
    /// Record the model, such as canon-hi-cara.
    Set {
        #[arg(long)]
        facility: String,
        #[arg(long)]
        model: String,
        /// Whether it reads phones by itself; by default as the model is known.
        #[arg(long)]
        phone_native: Option<bool>,
        #[command(flatten)]
        speaker: Speaker,
    },
}

#[derive(Args)]
pub(super) struct Attest {
    #[arg(long)]
    facility: String,
    #[arg(long, value_enum)]
    os: Option<Os>,
    /// When the phone was read; by default now.
    #[arg(long, value_parser = instant::parse)]
    at: Option<DateTime<Utc>>,
    /// It was a technician's test: it counts, and is shown as one.
    #[arg(long)]
    test: bool,
    #[command(flatten)]
    speaker: Speaker,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Os {
    Ios,
    Android,
}

pub(super) async fn opt_out(desk: &Desk, command: OptOut) -> anyhow::Result<()> {
    let OptOut::Record { what, facility, at, reference, speaker } = command;
    let at = at.unwrap_or_else(clock::now);
    let event: Event = match what {
        OptOutStep::DoNotWant => ListingIntentSet { intent: Intent::DoNotWant }.into(),
        OptOutStep::Want => ListingIntentSet { intent: Intent::WantListed }.into(),
        OptOutStep::Undecided => ListingIntentSet { intent: Intent::Undecided }.into(),
        OptOutStep::CallPlanned => OptOutCallPlanned { planned_at: at }.into(),
        OptOutStep::Called => OptOutCallMade { called_at: at, reference }.into(),
        OptOutStep::Acknowledged => OptOutAcknowledged { acknowledged_at: at }.into(),
        OptOutStep::Withdrawn => OptOutWithdrawn { withdrawn_at: at }.into(),
    };
    state(desk, &facility, speaker, event).await
}

pub(super) async fn reader(desk: &Desk, command: Reader) -> anyhow::Result<()> {
    let Reader::Role { facility, terminal, reader, role, speaker } = command;
    let role = match role {
        Role::Phone => ReaderRole::Phone,
        Role::FaceAuth => ReaderRole::FaceAuth,
        Role::StaffLogin => ReaderRole::StaffLogin,
        Role::Other => ReaderRole::Other,
    };
    state(desk, &facility, speaker, ReaderRoleAssigned { terminal, reader, role }.into()).await
}

pub(super) async fn face_reader(desk: &Desk, command: FaceReader) -> anyhow::Result<()> {
    let FaceReader::Set { facility, model, phone_native, speaker } = command;
    let phone_native = match phone_native {
        Some(true) => PhoneNative::Yes,
        Some(false) => PhoneNative::No,
        None => PhoneNative::Unknown,
    };
    state(desk, &facility, speaker, FaceReaderModelSet { model, phone_native }.into()).await
}

pub(super) async fn attest(desk: &Desk, command: Attest) -> anyhow::Result<()> {
    let Attest { facility, os, at, test, speaker } = command;
    let os = match os {
        Some(Os::Ios) => PhoneOs::Ios,
        Some(Os::Android) => PhoneOs::Android,
        None => PhoneOs::Unknown,
    };
    state(desk, &facility, speaker, SmartphoneReadAttested { os, read_at: at.unwrap_or_else(clock::now), test }.into())
        .await
}

pub(super) async fn state(desk: &Desk, code: &str, speaker: Speaker, event: Event) -> anyhow::Result<()> {
    state_of(desk, desk.facility(code).await?, speaker, event).await
}

/// States it of a facility, or of the fleet, and says whether it can be seen.
pub(super) async fn state_of(desk: &Desk, facility: FacilityId, speaker: Speaker, event: Event) -> anyhow::Result<()> {
    let stated = Stated { by: speaker.by(), why: speaker.why, stated_at: clock::now() };
    let position = desk.operator.state(facility, stated, event).await?;
    say(match desk.operator.shown(position).await? {
        Answered::Shown => "記録しました / recorded",
        Answered::Accepted => {
            "受け付けました。反映は少し後です / accepted, not yet shown (is the server's projector running?)"
        }
    });
    Ok(())
}
