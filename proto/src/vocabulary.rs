//! The closed word lists. Every list has `Unknown`: it is what an absent value means, and what a word that only a newer
//! version knows is read as, so that old and new versions understand each other.

use serde::{Deserialize, Serialize};

use crate::wire;

macro_rules! vocabulary {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            /// Not said, or said in a word of a newer version.
            #[default]
            Unknown,
            $($(#[$word_doc])* $word,)*
        }

        impl $name {
            /// Every word, `Unknown` first.
            pub const ALL: &[Self] = &[Self::Unknown, $(Self::$word),*];

            /// The number that stands for the word on the wire.
            #[must_use]
            pub const fn to_wire(self) -> i32 {
                match self {
                    Self::Unknown => wire::$name::Unspecified as i32,
                    $(Self::$word => wire::$name::$word as i32,)*
                }
            }

            /// The word that a number on the wire stands for.
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
    /// What the clinic lets the agent look at.
    CollectionLevel {
        /// Readers and taps.
        Readers,
        /// And the names of result files.
        Names,
        /// And the headers of result files.
        Headers,
    }
    /// How the terminal went down before it came up.
    RebootKind { Clean, Unexpected }
    /// A program of the official software, by its part (DOMAIN 4.1).
    Component { ComApp, DistroApp, CardSoftware, FaceReaderSoftware, BrowserExtension }
    /// What a program does.
    ComponentState { Running, Stopped, Missing }
    /// What a reader is for. Only a person can know.
    ReaderRole {
        /// 汎用カードリーダー for smartphones.
        Phone,
        FaceAuth,
        StaffLogin,
        Other,
    }
    /// What lay on the reader, guessed from its ATR.
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
        /// Anything else: nothing more is kept of it.
        Other,
    }
    /// What a result says of its transaction.
    ReadOutcome {
        /// Nobody looked: the clinic has not opted in.
        NotRead,
        Ok,
        InProgress,
        Error,
        /// Encrypted, gone or broken.
        Unreadable,
    }
    /// Where observations are missing from.
    GapSource { Pcsc, Folder, Spool }
    /// What became of settings that the server sent.
    SettingsOutcome {
        Applied,
        /// They hold until the agent ends: they could not be written down.
        NotKept,
        /// They say what this agent does not know, so that what was before holds.
        NotUnderstood,
    }
    /// The system of a smartphone.
    PhoneOs { Ios, Android }
    /// What hangs at the entrance.
    Notice { NotSupportedPoster, SupportedSticker }
    /// Whether a face reader reads phones by itself.
    PhoneNative { Yes, No }
    /// What was bought.
    Purchase { Reader, UsbHub, ExtensionCable }
    /// How it was bought.
    PurchaseRoute { Subsidised, Own }
    /// Whether the group wants the facility on the ministry's list.
    Intent { WantListed, DoNotWant, Undecided }
    /// How a terminal's bytes get out: by a connection of its own, or by that of a relay on the clinic's network.
    Way { Direct, Relay }
    /// Who is closed; where nobody says, the call centre.
    Closes { CallCentre, Clinics }
    /// Why a stream ended.
    DisconnectReason { Closed, Lost, InstanceLost, Revoked }
}
