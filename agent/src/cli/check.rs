//! `check`: tests the setup. Prints one line for each part, in Japanese and English, with what to do about it.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use yomitori_observation::reader::Name;
use yomitori_proto::time::JAPAN;
use yomitori_proto::vocabulary::{CollectionLevel, LinkageFolder, ReaderRole};

use super::readers;
use crate::clock_offset::ClockOffset;
use crate::config::{Config, ConfigError};
use crate::connect::{ConnectError, Mode, RELAY_WITHIN, RejectedCertificate, Route};
use crate::identity::Identity;
use crate::identity::facility::EnrolledFacility;
use crate::limit::Limit;
use crate::spool::{self, Spool};
use crate::uplink::stream::{self, StreamError};
use crate::{clock, connect};
use yomitori_base::error::chain;

/// Prints the list and records whether there is something to do.
struct Checklist {
    todo: bool,
}

impl Checklist {
    fn ok(&self, what: &str, how: impl Display) -> io::Result<()> {
        writeln!(io::stdout(), "[ OK ] {what}: {how}")
    }

    fn todo(&mut self, what: &str, why: impl Display) -> io::Result<()> {
        self.todo = true;
        writeln!(io::stdout(), "[ NG ] {what}: {why}")
    }
}

pub(super) async fn check(path: &Path) -> io::Result<ExitCode> {
    let mut list = Checklist { todo: false };
    let config = match Config::read(path) {
        Ok(config) => config,
        Err(error) => {
            list.todo("設定 config", chain(&error))?;
            return Ok(ExitCode::from(if matches!(error, ConfigError::File { .. }) { 1 } else { 2 }));
        }
    };
    list.ok("設定 config", path.display())?;
    let identity = state(&mut list, &config)?;
    readers_and_roles(&mut list, &config)?;
    folders(&mut list, &config)?;
    desk(&mut list, &config)?;
    server(&mut list, &config, identity.as_ref()).await?;
    let verdict = if list.todo {
        "未完了の項目があります。 / Something has to be done."
    } else {
        "すべて良好です。 / All good."
    };
    writeln!(io::stdout(), "{verdict}")?;
    Ok(ExitCode::from(u8::from(list.todo)))
}

fn state(list: &mut Checklist, config: &Config) -> io::Result<Option<Identity>> {
    let dir = &config.state_dir;
    match writable(dir) {
        Ok(()) => list.ok("状態フォルダ state", dir.display())?,
        Err(error) => list.todo(
            "状態フォルダ state",
            format_args!(
                "{}: {error} (作成し、書込権限を与えてください / create it and give the agent's user write permission)",
                dir.display()
            ),
        )?,
    }
    let identity = match Identity::load(dir) {
        Ok(Some(identity)) => identity,
        Ok(None) => {
            list.todo(
                "証明書 certificate",
                "未登録です。`yomitori-agent enrol` を実行してください / not enrolled; run enrol with a token",
            )?;
            return Ok(None);
        }
        Err(error) => {
            list.todo("証明書 certificate", chain(&error))?;
            return Ok(None);
        }
    };
    list.ok("施設 facility", EnrolledFacility::label(EnrolledFacility::load(dir).as_ref(), identity.facility()))?;
    let now = clock::now();
    let days = identity.days_left(now);
    if identity.not_after() > now {
        list.ok(
            "証明書 certificate",
            format_args!("terminal {}, 残り {days} 日 / {days} days left", identity.terminal()),
        )?;
    } else {
        list.ok(
            "証明書 certificate",
            "期限切れです。接続時に自動更新します / expired; it is renewed when the agent connects",
        )?;
    }
    match Spool::waiting(dir) {
        Ok(None) => list.ok("スプール spool", "次の起動時に用意されます / prepared at the next start")?,
        Ok(Some(waiting)) => {
            list.ok("スプール spool", format_args!("未送信 {waiting} 件 / {waiting} observations wait"))?;
        }
        Err(spool::OpenError::InUse { .. }) => {
            list.ok("スプール spool", "エージェントが使用中です / in use by the running agent")?;
        }
        Err(error) => list.todo("スプール spool", chain(&error))?,
    }
    if let Some((count, since)) = spool::lost(dir) {
        list.todo(
            "ディスク disk",
            format_args!(
                "空きがなく、{} から {count} 件を保存できませんでした。空きを作ってください（失った件数は自動で報告します） / \
                 full: {count} observations since then could not be stored; free some space, and their number is reported",
                since.with_timezone(&JAPAN).format("%Y-%m-%d %H:%M")
            ),
        )?;
    }
    for (path, waiting) in Spool::of_others(dir).unwrap_or_default() {
        list.todo(
            "別施設のスプール other",
            format_args!(
                "{} に、以前登録していた別の施設の未送信 {waiting} 件があり、送信されません。不要なら削除してください / \
                 {waiting} unsent observations of another facility, for which this terminal was enrolled before, and which are \
                 never sent; delete the file if nobody needs them",
                path.display()
            ),
        )?;
    }
    Ok(Some(identity))
}

async fn server(list: &mut Checklist, config: &Config, identity: Option<&Identity>) -> io::Result<()> {
    const WHAT: &str = "サーバー server";
    let address = &config.server;
    let Some(route) = route(list, config).await? else { return Ok(()) };
    let Some(identity) = identity else {
        if config.mode != Mode::Direct {
            return list
                .ok(WHAT, "登録の際に中継を通して確認します / tested through the relay when this terminal enrols");
        }
        return match connect::dial(address.host(), address.port()).await {
            Ok(_) => list.ok(
                WHAT,
                format_args!("{address} に届きます / reachable; TLS is tested once the terminal is enrolled"),
            ),
            Err(error) => {
                list.todo(WHAT, format_args!("{address}: {error} (通信経路を確認してください / check the network)"))
            }
        };
    };
    let checked = match connect::mutual(&Arc::new(route), identity).await {
        Ok(channel) => stream::check_access(channel).await,
        Err(error) => Err(error.into()),
    };
    match checked {
        Ok(at) => {
            list.ok(WHAT, format_args!("{address} に接続できます / accepts this terminal's certificate over TLS 1.3"))?;
            clock_of_terminal(list, at)
        }
        Err(StreamError::Connect(ConnectError::Certificate { source, .. })) => {
            let what = if matches!(source, RejectedCertificate::Clock { .. }) { CLOCK } else { WHAT };
            list.todo(what, format_args!("{} / {source}", source.ja()))
        }
        Err(StreamError::Uncertified { .. }) if identity.not_after() <= clock::now() => list.ok(
            WHAT,
            format_args!("{address} に届きます。起動時に証明書を更新します / reachable; the running agent renews the certificate"),
        ),
        Err(error) if identity.not_after() <= clock::now() => list.todo(
            WHAT,
            format_args!(
                "接続できません。1年以上使わなかった端末は再登録してください / {}; a terminal that was off for more than a year must be enrolled again with a new token",
                chain(&error)
            ),
        ),
        Err(error) => list.todo(WHAT, format_args!("接続できません / {}", chain(&error))),
    }
}

const CLOCK: &str = "時計 clock";

/// Compares this terminal's clock with the server's.
fn clock_of_terminal(list: &mut Checklist, server: Option<DateTime<Utc>>) -> io::Result<()> {
    let Some(server) = server else { return Ok(()) };
    match ClockOffset::between(clock::now(), server) {
        None => list.ok(CLOCK, "サーバーの時計と合っています / agrees with the server's"),
        Some(offset) => list.todo(
            CLOCK,
            format_args!(
                "サーバーより{}。日付と時刻を合わせてください / {} of the server's: set this terminal's date and time",
                offset.ja(),
                offset.en()
            ),
        ),
    }
}

/// The route to the server; `None` if it can't be opened or the running agent uses it.
async fn route(list: &mut Checklist, config: &Config) -> io::Result<Option<Route>> {
    const WHAT: &str = "中継 relay";
    let Mode::Relay(listen) = &config.mode else { return Ok(Some(config.server.clone().into())) };
    let address = listen.address;
    let route = match Route::open(config.server.clone(), config.mode.clone()) {
        Ok(route) => route,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            list.ok(
                WHAT,
                format_args!(
                    "{address} はエージェントが使用中です。受付ページで接続を確認できます / in use by the running agent; its \
                     desk page says whether the server is connected"
                ),
            )?;
            return Ok(None);
        }
        Err(error) => {
            list.todo(
                WHAT,
                format_args!(
                    "{address}: {error} (connect.listen をこの端末の連携側アドレスにしてください / set `connect.listen` to \
                     this terminal's own address on the linkage network)"
                ),
            )?;
            return Ok(None);
        }
    };
    if tokio::time::timeout(RELAY_WITHIN, route.wait_until_ready()).await.is_err() {
        list.todo(
            WHAT,
            format_args!(
                "{address} に中継が接続して来ません。中継側で `yomitori-agent relay --check` を実行してください / no relay has connected; run `yomitori-agent relay --check` where it runs, and check the firewall"
            ),
        )?;
        return Ok(None);
    }
    list.ok(WHAT, format_args!("{address} に中継が接続しました / a relay has connected"))?;
    Ok(Some(route))
}

fn desk(list: &mut Checklist, config: &Config) -> io::Result<()> {
    const WHAT: &str = "受付ページ desk";
    let Some(port) = config.desk else {
        return list.ok(WHAT, "使わない設定です / turned off (desk.listen = \"off\")");
    };
    match std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => list.ok(WHAT, format_args!("http://127.0.0.1:{port}/ を使えます / the port is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => list.ok(
            WHAT,
            format_args!(
                "http://127.0.0.1:{port}/ は使用中です。開いて受付ページか確認してください / in use: open it and check that it is the desk page of the running agent"
            ),
        ),
        Err(error) => list.todo(WHAT, format_args!("http://127.0.0.1:{port}/: {error}")),
    }
}

/// Checks that a file can be created in the folder.
fn writable(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let probe = dir.join("check.tmp");
    std::fs::write(&probe, [])?;
    std::fs::remove_file(&probe)
}

fn readers_and_roles(list: &mut Checklist, config: &Config) -> io::Result<()> {
    let names = readers::names();
    let mut phone = false;
    for raw in &names {
        if !config.roles.watch(raw) {
            const NONE: &str = "機器ではないので見ません / no device, so it is not watched";
            list.ok("リーダー reader", format_args!("\"{raw}\": {NONE}"))?;
            continue;
        }
        let role = config.roles.role_of(raw, &Name::parse(raw));
        phone |= role == ReaderRole::Phone;
        list.ok("リーダー reader", format_args!("\"{raw}\" = {}, role {}", readers::model(raw), readers::role(role)))?;
    }
    if !names.iter().any(|raw| config.roles.watch(raw)) {
        list.todo(
            "リーダー reader",
            "見つかりません。接続と PC/SC サービスを確認してください / none found; check the cable and the PC/SC service",
        )
    } else if !phone {
        list.todo("役割 role", "スマホ用 (role = \"phone\") のリーダーがありません / no reader has the role \"phone\"; add a [[reader]] to the configuration")
    } else {
        Ok(())
    }
}

fn folders(list: &mut Checklist, config: &Config) -> io::Result<()> {
    if config.level == CollectionLevel::Readers {
        return list.ok("連携フォルダ folder", "収集しない設定です / not collected (collection.level = \"readers\")");
    }
    let limit = Limit::open(&config.state_dir, config.level);
    if limit.is_lowered() {
        let level = match limit.level() {
            CollectionLevel::Names => "names",
            _ => "readers",
        };
        list.ok(
            "収集範囲 collection",
            format_args!("サーバーの指定で \"{level}\" に下げています / lowered to \"{level}\" by the server"),
        )?;
    }
    if config.level == CollectionLevel::Headers {
        list.ok(
            "連携フォルダ folder",
            "結果ファイルの見出しだけを読みます（患者情報の手前まで） / headers are read, up to the patient's data (collection.level = \"headers\")",
        )?;
    }
    for watched in &config.linkage {
        let what = match watched.folder {
            LinkageFolder::Face => "連携フォルダ face",
            LinkageFolder::Res => "連携フォルダ res",
            LinkageFolder::Unknown => "連携フォルダ folder",
        };
        match std::fs::read_dir(&watched.path) {
            Ok(entries) => list.ok(what, format_args!("{} ({} 件 files)", watched.path.display(), entries.count()))?,
            Err(error) => list.todo(what, format_args!("{}: {error}", watched.path.display()))?,
        }
    }
    if config.linkage.is_empty() {
        list.todo("連携フォルダ folder", "設定がありません / none is configured; add a [[linkage]]")?;
    }
    Ok(())
}
