//! HTTP that no browser would send, and invalid addresses.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use yomitori_tests::hostile::chance::{chance, mutated, noise, print_line};
use yomitori_tests::hostile::siege::{HONEST, Siege};

/// With this header the server closes the connection after its answer.
const CLOSE: &[u8] = b"\r\nConnection: close\r\n";

/// Sends one request as bytes; returns the answer's status and text. A status of 0: the server closed the connection.
async fn ask(web: &str, request: &[u8]) -> Result<(u16, String)> {
    let address = web.strip_prefix("http://").context("http")?;
    let mut stream = TcpStream::connect(address).await?;
    // The server may answer before it has read everything.
    stream.write_all(request).await.ok();
    // Otherwise the server would wait for more.
    let end = request.windows(4).position(|window| window == b"\r\n\r\n");
    let head = end.and_then(|end| request.get(..end + 2)).unwrap_or_default();
    if !head.windows(CLOSE.len()).any(|window| window == CLOSE) {
        stream.shutdown().await.ok();
    }
    let mut heard = Vec::new();
    timeout(Duration::from_secs(30), stream.read_to_end(&mut heard)).await.context("no end")?.ok();
    let text = String::from_utf8_lossy(&heard).into_owned();
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).map_or(Ok(0), str::parse)?;
    Ok((status, text))
}

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_address_is_reported() -> Result<()> {
    let mut siege = Siege::begin("hostile-addresses").await?;
    let web = siege.server.web.clone();
    let long = format!("/?q={}", "a".repeat(300));
    let script = "%3Cscript%3Ealert(1)%3C/script%3E";
    let cases: Vec<(String, &[u16])> = vec![
        ("/?eligible=perhaps".to_owned(), &[400]),
        ("/?page=0".to_owned(), &[400]),
        ("/?page=99999999999999999999".to_owned(), &[400]),
        ("/?sort=name;DROP%20TABLE".to_owned(), &[400]),
        ("/?colour=red".to_owned(), &[400]),
        ("/?q=a&q=b".to_owned(), &[400]),
        ("/?prefecture=48".to_owned(), &[400]),
        (long, &[400]),
        (format!("/?flag={script}"), &[400]),
        (format!("/?{script}=1"), &[400]),
        (format!("/?q={script}"), &[200]),
        ("/?q=%00".to_owned(), &[200, 400]),
        ("/?q=%FF%FE".to_owned(), &[200, 400]),
        ("/?q='%20OR%201=1--".to_owned(), &[200]),
        ("/?q=%25_%5C".to_owned(), &[200]),
        ("/facilities/".to_owned(), &[404]),
        ("/facilities/123".to_owned(), &[404]),
        ("/facilities/9999999999".to_owned(), &[404]),
        (format!("/facilities/{script}"), &[404]),
        ("/facilities/%00".to_owned(), &[400, 404]),
        ("/facilities/%FF".to_owned(), &[400, 404]),
        ("/facilities/..%2F..%2Fetc%2Fpasswd".to_owned(), &[404]),
        (format!("/facilities/{HONEST}?before=x"), &[400]),
        ("/../../etc/passwd".to_owned(), &[404]),
        ("/assets/x/../../../etc/passwd".to_owned(), &[404]),
        ("/assets/0/icon.svg%00".to_owned(), &[404]),
        ("/api/v1/facilities?limit=0".to_owned(), &[400]),
        ("/api/v1/facilities?limit=-1".to_owned(), &[400]),
        ("/api/v1/facilities?after=x".to_owned(), &[400]),
        ("/api/v1/facilities/x".to_owned(), &[404]),
        (format!("/api/v1/facilities/{HONEST}?x=1"), &[400]),
        ("/api/v2/facilities".to_owned(), &[404]),
        ("/healthz/x".to_owned(), &[404]),
        ("/.env".to_owned(), &[404]),
    ];
    for (path, expected) in cases {
        let (status, text) = ask(&web, &get(&path, "")).await?;
        ensure!(expected.contains(&status), "{path}: {text}");
        ensure!(!text.contains("<script>alert"), "{path} is echoed as it is");
        ensure!(!text.contains("root:"), "{path}: {text}");
        if status >= 400 {
            let (_, body) = text.split_once("\r\n\r\n").context("a body")?;
            ensure!(body.chars().count() > 20, "{path}: nothing is said: {text}");
        }
    }
    siege.holds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_hosts_and_headers_are_refused() -> Result<()> {
    let mut siege = Siege::begin("hostile-http").await?;
    let web = siege.server.web.clone();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"] {
        for path in ["/", &format!("/api/v1/facilities/{HONEST}"), "/healthz", "/metrics"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nConnection: close\r\n\r\na=1"
            );
            let (status, text) = ask(&web, request.as_bytes()).await?;
            ensure!([400, 404, 405].contains(&status), "{method} {path}: {text}");
        }
    }
    let hosts = [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "[::ffff:8.8.8.8]",
        "",
        "@",
        "localhost@evil.example",
        "evil.example:80@localhost",
    ];
    for host in hosts {
        for path in ["/", "/api/v1/facilities", "/metrics", "/events", "/facilities.csv"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let (status, text) = ask(&web, request.as_bytes()).await?;
            ensure!([400, 403, 421].contains(&status), "Host `{host}` at {path}: {text}");
            ensure!(!text.contains("正直な医院") && !text.contains(HONEST), "Host `{host}` at {path}: {text}");
        }
    }
    for (what, request) in [
        ("no host", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("two hosts", get("/", "Host: evil.example\r\n")),
        ("HTTP/1.0 without a host", b"GET / HTTP/1.0\r\n\r\n".to_vec()),
        ("no request", b"\0\0\0\0\r\n\r\n".to_vec()),
        ("HTTP/2 by surprise", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("a header without end", get("/", &format!("X: {}\r\n", "x".repeat(1_000_000)))),
        ("headers without end", get("/", &"X: y\r\n".repeat(10_000))),
        ("an address without end", get(&format!("/?q={}", "x".repeat(100_000)), "")),
        ("two lengths", get("/", "Content-Length: 1\r\nContent-Length: 2\r\n")),
        ("a header that is none", get("/", "\u{1}: \u{2}\r\n")),
    ] {
        let (status, text) = ask(&web, &request).await?;
        // "Two hosts" may be accepted by the first one, which is this machine's.
        ensure!(status < 500 && (status != 200 || what == "two hosts"), "{what}: {text}");
    }
    siege.holds().await
}

fn address(chance: &mut StdRng) -> Vec<u8> {
    const PATHS: [&str; 7] = [
        "/",
        "/facilities/1319999015",
        "/api/v1/facilities",
        "/api/v1/facilities/1319999015",
        "/facilities.csv",
        "/healthz",
        "/x",
    ];
    const NAMES: [&str; 9] = ["q", "page", "limit", "after", "sort", "eligible", "lang", "flag", "before"];
    let mut path = PATHS.choose(chance).copied().unwrap_or("/").as_bytes().to_vec();
    for number in 0..chance.random_range(0..4) {
        path.push(if number == 0 { b'?' } else { b'&' });
        path.extend(NAMES.choose(chance).copied().unwrap_or("q").bytes());
        path.push(b'=');
        for byte in noise(chance, 12) {
            path.extend(format!("%{byte:02X}").bytes());
        }
    }
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_makes_the_server_fail() -> Result<()> {
    let mut chance = chance("http")?;
    let mut siege = Siege::begin("hostile-requests-http").await?;
    let web = siege.server.web.clone();
    let mut answers = std::collections::BTreeMap::new();
    for round in 0..600 {
        let path = address(&mut chance);
        let mut request =
            [b"GET ", path.as_slice(), b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"].concat();
        if round % 3 == 0 {
            request = mutated(&request, &mut chance);
        }
        let (status, text) = ask(&web, &request).await?;
        ensure!(status < 500, "round {round}: {:?}: {text}", String::from_utf8_lossy(&request));
        *answers.entry(status).or_insert(0) += 1;
    }
    // The rest was cut off, and is not a request.
    ensure!(answers.get(&0).is_none_or(|cut| *cut < 150), "{answers:?}");
    print_line(&format!("{answers:?}"));
    siege.holds().await
}
