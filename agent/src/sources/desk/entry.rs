//! The entries of the desk page, a closed list. Anything else, even one additional field, is rejected.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use yomitori_proto::event::{
    Event, FaceReaderRestarted, FallbackUsed, NoticeHung, SmartphoneReadAttested, SmartphoneReadFailed,
};
use yomitori_proto::vocabulary::{Notice, PhoneOs};

use super::choices::{self, Choice};
use super::text::Text;

/// An entry as the page sends it.
#[derive(Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum EntryRequest {
    Read { os: PhoneOs },
    Failed { cause: String },
    Fallback { fallback: String },
    Notice { notice: Notice },
    Restarted {},
}

impl EntryRequest {
    /// The event of an entry made `now`; `None` if the choice is not known.
    pub(super) fn event(self, now: DateTime<Utc>) -> Option<Event> {
        Some(match self {
            Self::Read { os: PhoneOs::Unknown } | Self::Notice { notice: Notice::Unknown } => return None,
            Self::Read { os } => SmartphoneReadAttested { os, read_at: now, test: false }.into(),
            Self::Failed { cause } => {
                choices::cause(&cause)?;
                SmartphoneReadFailed { cause, read_at: now }.into()
            }
            Self::Fallback { fallback } => {
                choices::fallback(&fallback)?;
                FallbackUsed { fallback, used_at: now }.into()
            }
            Self::Notice { notice } => NoticeHung { notice, hung_at: now }.into(),
            Self::Restarted {} => FaceReaderRestarted { restarted_at: now }.into(),
        })
    }
}

/// The label of an entry in the list of the day; `None` for other events.
pub(super) fn label(event: &Event) -> Option<Text> {
    let with = |ja: &str, en: &str, choice: Option<&Choice>| {
        // An entry of another version whose choice is not known here is listed all the same.
        let text = choice.map_or(Text::fixed("その他", "other"), |choice| choice.text.clone());
        Text::new(format!("{ja}：{}", text.ja), format!("{en}: {}", text.en))
    };
    Some(match event {
        Event::SmartphoneReadAttested(read) => match read.os {
            PhoneOs::Ios => Text::fixed("iPhoneで読めた", "Read with iPhone"),
            PhoneOs::Android => Text::fixed("Androidで読めた", "Read with Android"),
            PhoneOs::Unknown => Text::fixed("スマホで読めた", "Read with a phone"),
        },
        Event::SmartphoneReadFailed(failed) => with("読めなかった", "Not read", choices::cause(&failed.cause)),
        Event::FallbackUsed(used) => with("代わり", "Instead", choices::fallback(&used.fallback)),
        Event::NoticeHung(hung) => match hung.notice {
            Notice::SupportedSticker => Text::fixed("対応ステッカーを掲示", "Sticker put up"),
            Notice::NotSupportedPoster | Notice::Unknown => Text::fixed("未対応ポスターを掲示", "Poster put up"),
        },
        Event::FaceReaderRestarted(_) => Text::fixed("顔認証機を再起動", "Face reader restarted"),
        _ => return None,
    })
}
