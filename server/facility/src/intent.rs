//! The group's intent. The newest statement by its date holds; earlier ones stay visible with author and reason.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::Stated;
use yomitori_proto::id::StatementId;
use yomitori_proto::vocabulary::Intent;

use crate::bounded;
use crate::bounds::INTENTS;
use crate::text::{Axis, Text, Word};
use crate::view::View;
use crate::word::words;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Intention {
    /// Ascending by the time of the statement.
    statements: Vec<IntentStatement>,
}

/// A person's statement of the group's intent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IntentStatement {
    pub intent: Intent,
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub stated_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<StatementId>,
}

/// The intent axis.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "key", rename_all = "snake_case")]
pub enum Wish {
    Undecided,
    WantListed { stated_at: DateTime<Utc> },
    DoNotWant { stated_at: DateTime<Utc> },
}

words! {
    Wish {
        Undecided = "undecided", "未定", "undecided";
        WantListed = "want_listed", "掲載を希望", "wants to be listed";
        DoNotWant = "do_not_want", "掲載を希望しない", "does not want to be listed";
    }
}

impl Intention {
    pub(crate) fn set(&mut self, intent: Intent, stated: &Stated) {
        let Stated { by, why, stated_at, id } = stated.clone();
        let statement = IntentStatement { intent, by, reason: why, stated_at, id };
        if !self.statements.contains(&statement) {
            let order = |said: &IntentStatement| (said.stated_at, said.intent, said.by.clone(), said.id);
            bounded::insert(&mut self.statements, statement, order, INTENTS);
        }
    }

    pub(crate) fn withdraw(&mut self, id: StatementId) {
        self.statements.retain(|statement| statement.id != Some(id));
    }

    pub(crate) fn current(&self) -> Option<&IntentStatement> {
        self.statements.last()
    }

    pub(crate) fn wish(&self) -> Wish {
        match self.current() {
            Some(IntentStatement { intent: Intent::WantListed, stated_at, .. }) => {
                Wish::WantListed { stated_at: *stated_at }
            }
            Some(IntentStatement { intent: Intent::DoNotWant, stated_at, .. }) => {
                Wish::DoNotWant { stated_at: *stated_at }
            }
            Some(IntentStatement { intent: Intent::Undecided | Intent::Unknown, .. }) | None => Wish::Undecided,
        }
    }

    pub(crate) fn statements(&self) -> &[IntentStatement] {
        &self.statements
    }
}

impl View<'_> {
    pub(crate) fn intent(&self) -> Axis<Wish> {
        let intention = &self.facility.intention;
        let wish = intention.wish();
        let why = intention.current().map_or(
            Text::fixed("掲載の希望はまだ登録されていません。", "Nobody has said yet whether to be listed."),
            |statement| {
                let (label, at) = (statement.intent.label(), self.date(statement.stated_at));
                let reason = statement.reason.as_deref();
                let (reason_ja, reason_en) = (
                    reason.map(|reason| format!("（理由: {reason}）")).unwrap_or_default(),
                    reason.map(|reason| format!(" ({reason})")).unwrap_or_default(),
                );
                Text::new(
                    format!("{at}に{}さんが「{}」と登録しました{reason_ja}。", statement.by, label.ja),
                    format!("{} stated on {at} that the facility {}{reason_en}.", statement.by, wish_verb(&wish)),
                )
            },
        );
        Axis::new(wish, why)
    }
}

const fn wish_verb(wish: &Wish) -> &'static str {
    match wish {
        Wish::Undecided => "has not decided",
        Wish::WantListed { .. } => "wants to be listed",
        Wish::DoNotWant { .. } => "does not want to be listed",
    }
}
