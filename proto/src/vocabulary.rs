//! The enumerations of the contract. Each has `Unknown`, which stands for an absent value and for a value that only a
//! newer version knows, so that old and new versions understand each other.

use serde::{Deserialize, Serialize};

use crate::wire;

macro_rules! vocabulary {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            /// Absent, or a value of a newer version.
            #[default]
            Unknown,
            $($(#[$word_doc])* $word,)*
        }

        impl $name {
            /// Every value, `Unknown` first.
            pub const ALL: &[Self] = &[Self::Unknown, $(Self::$word),*];

            /// The number of the value on the wire.
            #[must_use]
            pub const fn to_wire(self) -> i32 {
                match self {
                    Self::Unknown => wire::$name::Unspecified as i32,
                    $(Self::$word => wire::$name::$word as i32,)*
                }
            }

            /// The value of a number on the wire.
            #[must_use]
            pub fn from_wire(number: i32) -> Self {
                match wire::$name::try_from(number) {
                    Ok(wire::$name::Unspecified) | Err(_) => Self::Unknown,
                    $(Ok(wire::$name::$word) => Self::$word,)*
                }
            }
        }
    )*};
}

vocabulary! {
    /// Why the agent started.
    StartReason { Boot, Restart, Upgrade }
    /// Why the agent stopped.
    StopReason { Service, Shutdown, Upgrade }
    /// What the clinic allows the agent to collect.
    CollectionLevel {
        /// Readers and taps.
        Readers,
        /// Also the names of result files.
        Names,
        /// Also the headers of result files.
        Headers,
    }
    /// How the terminal went down before its start.
    RebootKind { Clean, Unexpected }
    /// A program of the official software.
    Component { ComApp, DistroApp, CardSoftware, FaceReaderSoftware, BrowserExtension }
    /// The state of a program.
    ComponentState { Running, Stopped, Missing }
    /// What a reader is for; only a person knows this.
    ReaderRole {
        /// 汎用カードリーダー for smartphones.
        Phone,
        FaceAuth,
        StaffLogin,
        Other,
    }
    /// What was on the reader, guessed from its ATR.
    Medium { MyNumberCard, FelicaOnly, DrivingLicence, ResidentCard, OtherTypeB, OtherTypeA }
    /// A linkage folder (連携フォルダ).
    LinkageFolder { Face, Res }
    /// What a file in a linkage folder is, by its name.
    LinkageKind {
        /// `OQSsiquc01res_face_…`: the face reader ended a transaction.
        FaceResult,
        /// `OQSsiquc01res_…`: 資格確認 単件.
        SingleResult,
        /// `OQSmuquc…res_…`: 一括照会.
        BatchResult,
        /// Anything else; nothing more is stored about it.
        Other,
    }
    /// The outcome of the transaction of a result.
    ReadOutcome {
        /// Not read, because the clinic has not opted in.
        NotRead,
        Ok,
        InProgress,
        Error,
        /// Encrypted, gone or broken.
        Unreadable,
    }
    /// Where observations are missing from.
    GapSource { Pcsc, Folder, Spool }
    /// The outcome of settings that the server sent.
    SettingsOutcome {
        Applied,
        /// They could not be stored and apply until the agent ends.
        NotKept,
        /// They contain something that this agent does not know, so the previous settings apply.
        NotUnderstood,
    }
    /// The system of a smartphone.
    PhoneOs { Ios, Android }
    /// The notice at the entrance.
    Notice { NotSupportedPoster, SupportedSticker }
    /// Whether a face reader reads phones by itself.
    PhoneNative { Yes, No }
    /// What was bought.
    Purchase { Reader, UsbHub, ExtensionCable }
    /// How it was bought.
    PurchaseRoute { Subsidised, Own }
    /// Whether the group wants the facility on the ministry's list.
    Intent { WantListed, DoNotWant, Undecided }
    /// How a terminal reaches the server: directly, or through a relay on the clinic's network.
    Way { Direct, Relay }
    /// Who is closed; the call centre if absent.
    Closes { CallCentre, Clinics }
    /// Why a stream ended.
    DisconnectReason { Closed, Lost, InstanceLost, Revoked }
}
