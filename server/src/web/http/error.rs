//! Failed requests: `problem+json` for the API, a page with the next step for people.
//!
//! A handler returns a [`Failure`]; the layer around all handlers renders it, as it knows language and path.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use yomitori_facility::Text;
use yomitori_proto::code::{CodeError, InstitutionCode};

use crate::store::StoreError;
use crate::telemetry;
use crate::web::http::lang::Lang;
use crate::web::page::layout::{self, Refusal};

/// Why a request failed.
#[derive(Clone, Debug)]
pub(in crate::web) enum Failure {
    /// A value of the query string is not valid.
    Parameter {
        name: String,
        why: Text,
    },
    /// The path names a facility by an invalid code.
    Code(CodeError),
    /// No facility has this code or identifier.
    Unwatched {
        asked: String,
    },
    NoPage,
    Method,
    /// The form was not sent from a page of this server.
    Origin,
    /// The body is not a form.
    Media,
    TooLarge,
    /// The body is not a form of this page.
    Form(Text),
    /// The Host header names another machine.
    Host {
        host: String,
    },
    /// The database did not answer.
    Away,
    /// The answer would take too long.
    Busy,
    /// The stored status was written by another version of the program and is about to be rewritten.
    Recomputing,
}

/// Carries the failure from a handler to the layer that renders it.
#[derive(Clone)]
pub(in crate::web) struct FailureExtension(pub(in crate::web) Arc<Failure>);

impl Failure {
    pub(in crate::web) fn parameter(name: &str, ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Parameter { name: name.to_owned(), why: Text::new(ja.into(), en.into()) }
    }

    pub(in crate::web) fn unwatched(code: InstitutionCode) -> Self {
        Self::Unwatched { asked: code.to_string() }
    }

    pub(in crate::web) const fn status(&self) -> StatusCode {
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

    /// The problem type for programs.
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

    pub(in crate::web) fn title(&self) -> Text {
        match self {
            Self::Parameter { .. } => Text::fixed("指定が正しくありません", "Invalid value in the address"),
            Self::Code(_) => Text::fixed("医療機関コードではありません", "Invalid institution code"),
            Self::Unwatched { .. } => Text::fixed("この施設は登録されていません", "This facility is not registered"),
            Self::NoPage => Text::fixed("ページがありません", "Page not found"),
            Self::Method => Text::fixed("この操作はできません", "Method not allowed"),
            Self::Origin => {
                Text::fixed("この画面から送られたものではありません", "Not sent from a page of this server")
            }
            Self::Media => Text::fixed("入力欄の形式ではありません", "Invalid media type"),
            Self::TooLarge => Text::fixed("大きすぎます", "The form is too large"),
            Self::Form(_) => Text::fixed("入力を受け取れません", "Invalid form"),
            Self::Host { .. } => Text::fixed("このアドレスでは表示できません", "Not available at this address"),
            Self::Away => Text::fixed("データベースに接続できません", "The database is unavailable"),
            Self::Busy => Text::fixed("混み合っています", "The server is busy"),
            Self::Recomputing => Text::fixed("この施設は再計算中です", "This facility is being recomputed"),
        }
    }

    /// Says what happened and what to do next.
    pub(in crate::web) fn detail(&self) -> Text {
        match self {
            Self::Parameter { name, why } => {
                Text::new(format!("`{name}`: {}", why.ja), format!("`{name}`: {}", why.en))
            }
            // The message of a code error contains both languages.
            Self::Code(error) => Text::new(error.to_string(), error.to_string()),
            Self::Unwatched { asked } => Text::new(
                format!(
                    "{asked} の施設は見つかりません。一覧で名称から検索するか、\
                     `yomitori-server facility import FILE.csv` で登録してください。"
                ),
                format!(
                    "No facility has the code or identifier {asked}. Search the list by name, or register it with \
                     `yomitori-server facility import FILE.csv`."
                ),
            ),
            Self::NoPage => Text::fixed(
                "アドレスを確かめるか、施設一覧に戻ってください。",
                "Check the address, or return to the list of facilities.",
            ),
            Self::Method => Text::fixed(
                "この画面は閲覧用です。記録は、各施設の画面の入力欄から行います。",
                "This page is read-only; use the forms on a facility's page to record a statement.",
            ),
            Self::Origin => Text::fixed(
                "他のサイトからの送信を防ぐため、何も記録していません。この画面の入力欄から送信してください。\
                 プログラムから送る場合は、Originヘッダーにこのサーバーのアドレスを指定してください。",
                "Nothing was recorded, to protect against forms of other sites. Send the form from its page; a program \
                must name this server's address in its Origin header.",
            ),
            Self::Media => Text::fixed(
                "何も記録していません。入力欄は application/x-www-form-urlencoded で送信してください。",
                "Nothing was recorded. Send the form as application/x-www-form-urlencoded.",
            ),
            Self::TooLarge => Text::fixed(
                "何も記録していません。入力は合わせて16 KiBまでです。",
                "Nothing was recorded. The limit for a form is 16 KiB.",
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
                    "Until people can sign in, only the server itself can open these pages, and the Host header \
                    `{host}` was refused to protect against DNS rebinding. Use http://127.0.0.1 or http://localhost, \
                    or an SSH tunnel from another machine."
                ),
            ),
            Self::Away => Text::fixed(
                "端末の記録は失われません。データベースが戻り次第、この画面は自動で再表示されます。",
                "No record of a terminal is lost. This page reloads when the database is available again.",
            ),
            Self::Busy => Text::fixed("少し待ってから開き直してください。", "Wait a moment, then reload the page."),
            Self::Recomputing => Text::fixed(
                "プログラムの更新後、全施設を計算し直しています。この画面は自動で再表示されます。記録は失われません。",
                "After an update, every facility is recomputed. This page reloads by itself; no record is lost.",
            ),
        }
    }

    pub(in crate::web) fn problem(&self) -> Response {
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

    pub(in crate::web) fn page(&self, lang: Lang) -> Response {
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

    /// Whether a retry soon may succeed.
    pub(in crate::web) const fn passing(&self) -> bool {
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
