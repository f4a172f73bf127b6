//! Every route against a database that is away: no route panics, and each reports the cause.

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use proptest::prelude::*;
use tower::Service as _;

use super::*;
use crate::config::Database;

/// No server listens on port 1.
fn away() -> (Router, CancellationToken) {
    let store =
        Store::open(&Database { url: "postgres://nobody@127.0.0.1:1/nothing".to_owned(), ca_file: None }).unwrap();
    let log = crate::config::Kafka {
        bootstrap_servers: "127.0.0.1:1".to_owned(),
        topic: "nothing".to_owned(),
        partitions: 1,
        replication: 1,
    };
    let stores = PageStores::of(&store).unwrap();
    let operator = Operator::new(Arc::new(crate::log::kafka::Appender::open(&log).unwrap()), stores.pages.clone());
    let stop = CancellationToken::new();
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let observed = Observed { metrics, log: watch::channel(LogHealth::Unknown).1 };
    (router(stores, operator, observed, stop.clone()), stop)
}

async fn ask(router: &mut Router, path: &str, headers: &[(HeaderName, &str)]) -> (StatusCode, HeaderMap, String) {
    let mut request = axum::http::Request::builder().uri(path);
    if headers.iter().all(|(name, _)| *name != header::HOST) {
        request = request.header(header::HOST, "localhost:8080");
    }
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let answer = router.call(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn only_this_machine_is_answered() {
    let (mut router, _stop) = away();
    for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.8.9.1", "[::1]:8080"] {
        let (status, ..) = ask(&mut router, "/metrics", &[(header::HOST, host)]).await;
        assert_eq!(status, StatusCode::OK, "{host}");
    }
    for host in
        ["example.com", "localhost.example.com", "192.168.0.1:8080", "", "[fe80::1]", "0.0.0.0", "127.0.0.1.nip.io"]
    {
        let (status, _, body) = ask(&mut router, "/", &[(header::HOST, host)]).await;
        assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(body.contains("DNS rebinding") && body.contains("SSH"), "{body}");
    }
}

#[tokio::test]
async fn every_answer_is_guarded() {
    let (mut router, _stop) = away();
    for path in
        ["/", "/calls", "/nowhere", "/api/v1/calls", "/api/v1/facilities", "/healthz", &http::assets::path("style.css")]
    {
        let (_, headers, _) = ask(&mut router, path, &[]).await;
        assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"), "{path}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert!(headers.get(header::SET_COOKIE).is_none(), "{path}");
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_said_to_be_away() {
    let (mut router, _stop) = away();
    let (status, headers, body) = ask(&mut router, "/", &[]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers[header::RETRY_AFTER], "5");
    assert!(body.contains("データベースに接続できません") && body.contains("http-equiv=\"refresh\""), "{body}");

    let (status, _, body) = ask(&mut router, "/healthz", &[]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("database_away"), "{body}");

    let (status, headers, body) = ask(&mut router, "/api/v1/facilities", &[]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    assert!(body.contains("urn:yomitori:problem:database-away"), "{body}");
}

#[tokio::test]
async fn a_bad_value_is_named_to_people_and_programs() {
    let (mut router, _stop) = away();
    let (status, _, body) = ask(&mut router, "/?prefecture=99", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("`prefecture`") && body.contains("東京都"), "{body}");
    let (status, _, body) = ask(&mut router, "/api/v1/facilities?limit=0", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&problem["parameter"], &problem["status"]), (&"limit".into(), &400.into()));
    let (status, ..) = ask(&mut router, "/facilities/1234", &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_chosen_language_is_kept_and_is_the_only_cookie() {
    let (mut router, _stop) = away();
    let (_, headers, body) = ask(&mut router, "/nowhere?lang=en", &[]).await;
    assert!(headers[header::SET_COOKIE].to_str().unwrap().starts_with("lang=en;"));
    assert!(body.contains("Page not found") && !body.contains("ページがありません"), "{body}");
    let (_, _, body) = ask(&mut router, "/nowhere", &[(header::COOKIE, "lang=en")]).await;
    assert!(body.contains("<html lang=\"en\""), "{body}");
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused_before_anything_is_read() {
    let (mut router, _stop) = away();
    let path = "/facilities/1319999015/record/intent";
    let mut send = async |headers: &[(&'static str, &'static str)]| {
        let mut request = axum::http::Request::builder().method(Method::POST).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = router.call(request.body(Body::from("by=a")).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        (parts.status, String::from_utf8_lossy(&to_bytes(body, 1 << 20).await.unwrap()).into_owned())
    };
    let (status, body) = send(&[("host", "localhost"), ("origin", "http://evil.example")]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("何も記録していません") && body.contains("Origin"), "{body}");
    let (status, _) = send(&[("host", "evil.example"), ("origin", "http://evil.example")]).await;
    assert_eq!(status, StatusCode::MISDIRECTED_REQUEST);
    let (status, _) = send(&[("host", "localhost"), ("origin", "http://localhost")]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "the database is away");
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let (mut router, stop) = away();
    let request = axum::http::Request::builder().uri("/events").header(header::HOST, "localhost");
    let answer = router.call(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut frames = answer.into_body().into_data_stream();
    assert!(frames.next().await.unwrap().unwrap().starts_with(b"event: hello"));
    stop.cancel();
    while frames.next().await.is_some() {}
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_path_or_query_panics(code in "\\PC{0,30}", query in "[ -~]{0,60}", name in "[a-z_]{1,12}", value in "\\PC{0,40}") {
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let raw: String = query.chars().filter(|c| c.is_ascii_alphanumeric() || "=&%+;,.-_~".contains(*c)).collect();
        let paths = [
            format!("/facilities/{}?{raw}", encoded(&code)),
            format!("/api/v1/facilities/{}", encoded(&code)),
            format!("/api/v1/facilities?{}={}", name, encoded(&value)),
            format!("/facilities.csv?{raw}"),
            format!("/?{raw}"),
            format!("/calls?{}={}", name, encoded(&value)),
            format!("/api/v1/calls?{raw}"),
            format!("/parked?{raw}"),
            format!("/parked/{}?{raw}", encoded(&code)),
            format!("/parked/{}/{name}?{raw}", encoded(&code)),
            format!("/api/v1/parked/{}?{raw}", encoded(&code)),
            format!("/listing?{raw}"),
            format!("/listing/{}?{raw}", encoded(&code)),
            format!("/api/v1/listing/{}?{raw}", encoded(&code)),
            format!("/facilities/{}/record/{name}?{raw}", encoded(&code)),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut router, _stop) = away();
            for path in &paths {
                let (status, _, body) = ask(&mut router, path, &[]).await;
                assert!(status != StatusCode::INTERNAL_SERVER_ERROR && !body.is_empty(), "{path}: {status}");
            }
        });
    }
}
