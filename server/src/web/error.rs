//! Why a request has no answer: `problem+json` for the API, a page that says what to do next for people.
//!
//! A handler returns a [`Failure`]; the frame around all handlers draws it, as it knows the language and the path.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use yomitori_facility::Text;
use yomitori_proto::code::{CodeError, InstitutionCode};

use super::lang::Lang;
use super::layout::{self, Refusal};
use crate::store::StoreError;
use crate::telemetry;

/// Why a request has no answer.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// A value in the query string that means nothing.
    Parameter {
        name: String,
        why: Text,
    },
    /// What stands for a facility in the path is no code.
    Code(CodeError),
    /// No facility has this code or identifier.
    Unwatched {
        asked: String,
    },
    NoPage,
    Method,
    /// A form that no page of ours has sent.
    Origin,
    /// What was sent is no form.
    Media,
    TooLarge,
    /// What was sent is no form of this page.
    Form(Text),
    /// The request was meant for another host.
    Host {
        host: String,
    },
    /// The database did not answer.
    Away,
    /// The answer would take too long.
    Busy,
    /// What is stored is of another version of the program, and about to be written again.
    Recomputing,
}

/// How a failed answer travels from a handler to the frame.
#[derive(Clone)]
pub(super) struct FailureExtension(pub(super) Arc<Failure>);

impl Failure {
    pub(super) fn parameter(name: &str, ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Parameter { name: name.to_owned(), why: Text::new(ja.into(), en.into()) }
    }

    pub(super) fn unwatched(code: InstitutionCode) -> Self {
        Self::Unwatched { asked: code.to_string() }
    }

    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Parameter { .. } | Self::Form(_) => StatusCode::BAD_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Media => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Code(_) | Self::Unwatched { .. } | Self::NoPage => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Host { .. } => StatusCode::MISDIRECTED_REQUEST,
            Self::Away | Self::Busy | Self::Recomputing => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A word for programs.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Parameter { .. } => "bad-parameter",
            Self::Code(_) => "bad-code",
            Self::Unwatched { .. } => "unknown-facility",
            Self::NoPage => "no-such-page",
            Self::Method => "bad-method",
            Self::Origin => "foreign-origin",
            Self::Media => "bad-media-type",
            Self::TooLarge => "too-large",
            Self::Form(_) => "bad-form",
            Self::Host { .. } => "wrong-host",
            Self::Away => "database-away",
            Self::Busy => "busy",
            Self::Recomputing => "recomputing",
        }
    }

    pub(super) fn title(&self) -> Text {
        match self {
            Self::Parameter { .. } => Text::fixed("指定が正しくありません", "A value in the address can't be used"),
            Self::Code(_) => Text::fixed("医療機関コードではありません", "This is no institution code"),
            Self::Unwatched { .. } => Text::fixed("この施設は登録されていません", "This facility is not watched"),
            Self::NoPage => Text::fixed("ページがありません", "There is no such page"),
            Self::Method => Text::fixed("この操作はできません", "This can't be done here"),
            Self::Origin => Text::fixed("この画面から送られたものではありません", "Not sent by a page of this server"),
            Self::Media => Text::fixed("入力欄の形式ではありません", "This is no form"),
            Self::TooLarge => Text::fixed("大きすぎます", "This is too large"),
            Self::Form(_) => Text::fixed("入力を受け取れません", "The form can't be read"),
            Self::Host { .. } => Text::fixed("このアドレスでは表示できません", "Not shown under this address"),
            Self::Away => Text::fixed("データベースに接続できません", "The database is away"),
            Self::Busy => Text::fixed("混み合っています", "The server is busy"),
            Self::Recomputing => Text::fixed("この施設は再計算中です", "This facility is being recomputed"),
        }
    }

    /// What happened and what to do next.
    pub(super) fn detail(&self) -> Text {
        match self {
            Self::Parameter { name, why } => {
                Text::new(format!("`{name}`: {}", why.ja), format!("`{name}`: {}", why.en))
            }
            // The message of a code has both languages in it.
            Self::Code(error) => Text::new(error.to_string(), error.to_string()),
            Self::Unwatched { asked } => Text::new(
                format!(
                    "{asked} の施設は見つかりません。一覧で名称から検索するか、\
                     `yomitori-server facility import FILE.csv` で登録してください。"
                ),
                format!(
                    "No facility is known as {asked}. Search the list by its name, or register it with \
                     `yomitori-server facility import FILE.csv`."
                ),
            ),
            Self::NoPage => Text::fixed(
                "アドレスを確かめるか、施設一覧に戻ってください。",
                "Check the address, or go back to the list of facilities.",
            ),
            Self::Method => Text::fixed(
                "この画面は閲覧用です。記録は、各施設の画面の入力欄から行います。",
                "This page is for reading; what people state is entered in the forms of a facility's page.",
            ),
            Self::Origin => Text::fixed(
                "他のサイトからの送信を防ぐため、何も記録していません。この画面の入力欄から送信してください。\
                 プログラムから送る場合は、Originヘッダーにこのサーバーのアドレスを指定してください。",
                "Nothing was recorded, as a guard against other sites. Send the form from its page here; a program has \
                 to name this server's address in its Origin header.",
            ),
            Self::Media => Text::fixed(
                "何も記録していません。入力欄は application/x-www-form-urlencoded で送信してください。",
                "Nothing was recorded. Send a form as application/x-www-form-urlencoded.",
            ),
            Self::TooLarge => Text::fixed(
                "何も記録していません。入力は合わせて16 KiBまでです。",
                "Nothing was recorded. A form may have 16 KiB at most.",
            ),
            Self::Form(why) => {
                Text::new(format!("何も記録していません。{}", why.ja), format!("Nothing was recorded: {}", why.en))
            }
            Self::Host { host } => Text::new(
                format!(
                    "サインイン機能ができるまで、この画面はサーバー自身からのみ閲覧できます（DNSリバインディング対策として、\
                     Hostヘッダー「{host}」を拒否しました）。http://127.0.0.1 または http://localhost を使い、\
                     遠隔からはSSHトンネルを利用してください。"
                ),
                format!(
                    "Until people can sign in, these pages are shown on the server itself only, and the Host header \
                     `{host}` was refused as a guard against DNS rebinding. Use http://127.0.0.1 or http://localhost; \
                     from elsewhere, an SSH tunnel."
                ),
            ),
            Self::Away => Text::fixed(
                "端末の記録は失われません。データベースが戻り次第、この画面は自動で再表示されます。",
                "Nothing that terminals recorded is lost. This page comes back by itself with the database.",
            ),
            Self::Busy => Text::fixed("少し待ってから開き直してください。", "Wait a moment, then open the page again."),
            Self::Recomputing => Text::fixed(
                "プログラムの更新後、全施設を計算し直しています。この画面は自動で再表示されます。記録は失われません。",
                "After an update, every facility is recomputed from the log. This page comes back by itself; nothing is lost.",
            ),
        }
    }

    pub(super) fn problem(&self) -> Response {
        let (title, detail) = (self.title(), self.detail());
        let mut body = json!({
            "type": format!("urn:yomitori:problem:{}", self.kind()),
            "status": self.status().as_u16(),
            "title": title.en,
            "detail": detail.en,
            "title_ja": title.ja,
            "detail_ja": detail.ja,
        });
        if let Self::Parameter { name, .. } = self {
            body["parameter"] = json!(name);
        }
        let media = (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        self.with_retry((self.status(), [media], body.to_string()).into_response())
    }

    pub(super) fn page(&self, lang: Lang) -> Response {
        self.with_retry((self.status(), layout::failure(lang, &self.refusal())).into_response())
    }

    fn refusal(&self) -> Refusal {
        Refusal {
            status: self.status().as_u16(),
            title: self.title(),
            detail: self.detail(),
            passing: self.passing(),
            has_fleet: !matches!(self, Self::Host { .. }),
        }
    }

    /// Whether asking again soon may help.
    pub(super) const fn passing(&self) -> bool {
        matches!(self, Self::Away | Self::Busy | Self::Recomputing)
    }

    fn with_retry(&self, mut response: Response) -> Response {
        if self.passing() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        telemetry::page_failed(&error);
        Self::Away
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(FailureExtension(Arc::new(self)));
        response
    }
}
