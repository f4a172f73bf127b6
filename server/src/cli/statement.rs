//! Commands by which a person states something of a facility. Each becomes a fact with who, when and why.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use yomitori_facility::Opening;
use yomitori_proto::event::{
    Event, FaceReaderModelSet, FaceReaderRestarted, ListingIntentSet, OptOutAcknowledged, OptOutCallMade,
    OptOutCallPlanned, OptOutWithdrawn, ReaderPurchased, ReaderRoleAssigned, SmartphoneReadAttested,
    SmartphoneReadFailed, Stated,
};
use yomitori_proto::id::{FacilityId, ReaderKey, TerminalId};
use yomitori_proto::vocabulary::{Intent, PhoneNative, PhoneOs, Purchase, PurchaseRoute, ReaderRole};

use super::output::{say, warn};
use super::{Desk, entry, instant};
use crate::clock;
use crate::ingest::operator::Answered;
use crate::store::ground;

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
    /// A statement of theirs, made now.
    pub(super) fn stated(self) -> Stated {
        Stated { by: self.by(), why: self.why, stated_at: clock::now(), id: None }
    }

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

/// Where and when it happened, and who says so.
#[derive(Args)]
pub(super) struct Happened {
    /// One of the facility's institution codes.
    #[arg(long)]
    facility: String,
    /// When it happened, such as 2026-04-01T10:30; without an offset it is Japan's time. By default now.
    #[arg(long, value_parser = instant::parse)]
    at: Option<DateTime<Utc>>,
    #[command(flatten)]
    speaker: Speaker,
}

impl Happened {
    pub(super) fn at(&self) -> DateTime<Utc> {
        self.at.unwrap_or_else(clock::now)
    }

    pub(super) async fn state(self, desk: &Desk, event: Event) -> anyhow::Result<()> {
        state(desk, &self.facility, self.speaker, event).await
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
    /// Step one of the notice: it was bought.
    Purchased {
        #[arg(value_enum)]
        item: Item,
        #[arg(long)]
        facility: String,
        #[arg(long, value_enum)]
        route: Option<Route>,
        #[command(flatten)]
        speaker: Speaker,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Item {
    /// 汎用カードリーダー.
    Reader,
    UsbHub,
    ExtensionCable,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Route {
    Subsidised,
    Own,
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
    /// It was restarted: one that reads phones by itself can do so from then on.
    Restarted {
        #[command(flatten)]
        happened: Happened,
    },
}

#[derive(Args)]
pub(super) struct Attest {
    #[arg(long, value_enum)]
    os: Option<Os>,
    /// It was a technician's test: it counts, and is shown as one.
    #[arg(long)]
    test: bool,
    /// It was not read: the cause, such as PatientDevice.PinWrong.
    #[arg(long, value_name = "CAUSE", conflicts_with_all = ["os", "test"])]
    failed: Option<String>,
    #[command(flatten)]
    happened: Happened,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Os {
    Ios,
    Android,
}

pub(super) async fn opt_out(desk: &Desk, command: OptOut) -> anyhow::Result<()> {
    let OptOut::Record { what, facility, at, reference, speaker } = command;
    let at = at.unwrap_or_else(clock::now);
    if matches!(what, OptOutStep::CallPlanned | OptOutStep::Called) {
        mind_the_hours(desk, at).await?;
    }
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

/// Says it where nobody answers then. It is recorded all the same, and shown as odd.
async fn mind_the_hours(desk: &Desk, at: DateTime<Utc>) -> anyhow::Result<()> {
    let calendar = ground::now(&desk.store).await?.calendar;
    let tokyo = |at: DateTime<Utc>| at.with_timezone(&chrono_tz::Asia::Tokyo).format("%Y-%m-%d %H:%M").to_string();
    match calendar.open(at) {
        Opening::Open => {}
        Opening::Closed => {
            let next = calendar.next_opening(at).map_or_else(|| "?".to_owned(), tokyo);
            warn(&format!(
                "{} はコールセンターの受付時間外です / the call centre is closed at {}; it opens at {next}",
                tokyo(at),
                tokyo(at)
            ));
        }
        Opening::Unconfirmed => warn(&format!(
            "{} はふだん受付時間内ですが、年末年始の受付は確認されていません / the call centre is usually open at {}; at the turn of the year that is not confirmed",
            tokyo(at),
            tokyo(at)
        )),
        Opening::Unknown => warn(&format!(
            "{} の祝日が分かりません / whether the call centre is open at {} is not known",
            tokyo(at),
            tokyo(at)
        )),
    }
    Ok(())
}

pub(super) async fn reader(desk: &Desk, command: Reader) -> anyhow::Result<()> {
    let (facility, terminal, reader, role, speaker) = match command {
        Reader::Role { facility, terminal, reader, role, speaker } => (facility, terminal, reader, role, speaker),
        Reader::Purchased { item, facility, route, speaker } => {
            return purchased(desk, item, &facility, route, speaker).await;
        }
    };
    let role = match role {
        Role::Phone => ReaderRole::Phone,
        Role::FaceAuth => ReaderRole::FaceAuth,
        Role::StaffLogin => ReaderRole::StaffLogin,
        Role::Other => ReaderRole::Other,
    };
    state(desk, &facility, speaker, ReaderRoleAssigned { terminal, reader, role }.into()).await
}

async fn purchased(
    desk: &Desk,
    item: Item,
    facility: &str,
    route: Option<Route>,
    speaker: Speaker,
) -> anyhow::Result<()> {
    let item = match item {
        Item::Reader => Purchase::Reader,
        Item::UsbHub => Purchase::UsbHub,
        Item::ExtensionCable => Purchase::ExtensionCable,
    };
    let route = match route {
        Some(Route::Subsidised) => PurchaseRoute::Subsidised,
        Some(Route::Own) => PurchaseRoute::Own,
        None => PurchaseRoute::Unknown,
    };
    state(desk, facility, speaker, ReaderPurchased { item, route }.into()).await
}

pub(super) async fn face_reader(desk: &Desk, command: FaceReader) -> anyhow::Result<()> {
    let (facility, model, phone_native, speaker) = match command {
        FaceReader::Set { facility, model, phone_native, speaker } => (facility, model, phone_native, speaker),
        FaceReader::Restarted { happened } => {
            let event = FaceReaderRestarted { restarted_at: happened.at() };
            return happened.state(desk, event.into()).await;
        }
    };
    // A reader that the table doesn't know can be recorded where somebody says whether it reads phones.
    if phone_native.is_none() {
        entry::known_model(&model)?;
    }
    let phone_native = match phone_native {
        Some(true) => PhoneNative::Yes,
        Some(false) => PhoneNative::No,
        None => PhoneNative::Unknown,
    };
    state(desk, &facility, speaker, FaceReaderModelSet { model, phone_native }.into()).await
}

pub(super) async fn attest(desk: &Desk, command: Attest) -> anyhow::Result<()> {
    let Attest { os, test, failed, happened } = command;
    let read_at = happened.at();
    if let Some(cause) = failed {
        entry::known_cause(&cause)?;
        return happened.state(desk, SmartphoneReadFailed { cause, read_at }.into()).await;
    }
    let os = match os {
        Some(Os::Ios) => PhoneOs::Ios,
        Some(Os::Android) => PhoneOs::Android,
        None => PhoneOs::Unknown,
    };
    happened.state(desk, SmartphoneReadAttested { os, read_at, test }.into()).await
}

pub(super) async fn state(desk: &Desk, code: &str, speaker: Speaker, event: Event) -> anyhow::Result<()> {
    state_of(desk, desk.facility(code).await?, speaker, event).await
}

/// States it of a facility, or of the fleet, and says whether it can be seen.
pub(super) async fn state_of(desk: &Desk, facility: FacilityId, speaker: Speaker, event: Event) -> anyhow::Result<()> {
    let position = desk.operator.state(facility, speaker.stated(), event).await?;
    say(match desk.operator.shown(position).await? {
        Answered::Shown => "記録しました / recorded",
        Answered::Accepted => {
            "受け付けました。反映は少し後です / accepted, not yet shown (is the server's projector running?)"
        }
    });
    Ok(())
}
