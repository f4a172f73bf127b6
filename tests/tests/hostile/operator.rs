//! Mistakes of a hurried person: in configurations, tables and statements.

use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use yomitori_tests::hostile::siege::{Siege, VICTIM};
use yomitori_tests::world::wait::{self, PATIENCE};
use yomitori_tests::world::{Build, World};

fn run(program: &str, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(Build::Released.program(program));
    command.args(arguments).env_remove("YOMITORI_KAFKA").env_remove("YOMITORI_POSTGRES").env("RUST_BACKTRACE", "1");
    command.output().with_context(|| format!("run {program}; is it built?"))
}

/// Verifies that the command failed with exit code 2 and printed each of `needles`; returns its output.
fn refused(output: &Output, needles: &[&str]) -> Result<String> {
    let said = String::from_utf8(output.stderr.clone())?;
    ensure!(output.status.code() == Some(2), "exit code {:?}: {said}", output.status.code());
    ensure!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    for needle in needles {
        ensure!(said.contains(needle), "`{needle}` is missing: {said}");
    }
    ensure!(!said.contains("panicked") && !said.contains("backtrace"), "{said}");
    Ok(said)
}

#[tokio::test]
async fn all_mistakes_of_a_configuration_are_reported_at_once() -> Result<()> {
    let world = World::new("hostile-config").await?;
    let folder = world.new_folder("config")?;
    let write = |name: &str, text: &str| -> Result<String> {
        let file = folder.join(name);
        std::fs::write(&file, text)?;
        Ok(file.to_string_lossy().into_owned())
    };
    let server = write(
        "server.toml",
        "state_dir = \"/nowhere\"\n[database]\nurl = \"mysql://x\"\n[kafka]\nbootstrap_servers = \"127.0.0.1:1\"\n\
         partitions = 0\n[web]\nlisten = \"0.0.0.0:80\"\n",
    )?;
    let agent = write(
        "agent.toml",
        "state_dir = \"relative\"\n[server]\naddress = \"http://centre\"\n[[linkage]]\nfolder = \"fase\"\npath = \"/x\"\n",
    )?;
    for command in ["serve", "migrate", "check", "status"] {
        let output = run("yomitori-server", &["--config", &server, command])?;
        refused(&output, &["`database.url`", "`kafka.partitions`", "`web.listen`"])?;
    }
    refused(&run("yomitori-agent", &["--config", &agent, "run"])?, &["state_dir", "address", "folder"])?;
    refused(
        &run("yomitori-agent", &["--config", &agent, "enrol", "--token", "x"])?,
        &["state_dir", "address", "folder"],
    )?;
    // A missing file, a folder, and a file that is not text.
    let missing = folder.join("missing.toml").to_string_lossy().into_owned();
    std::fs::write(folder.join("noise.toml"), [0xFF, 0x00, 0x80])?;
    let noise = folder.join("noise.toml").to_string_lossy().into_owned();
    let place = folder.to_string_lossy().into_owned();
    for (program, command) in [("yomitori-server", "serve"), ("yomitori-agent", "run")] {
        for config in [&missing, &place, &noise] {
            refused(&run(program, &["--config", config, command])?, &[config.as_str()])?;
        }
        refused(&run(program, &["--config", &write("odd.toml", "= = [[[")?, command])?, &["odd.toml"])?;
        refused(&run(program, &["dance"])?, &["dance"])?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_an_invalid_row_reports_it_and_imports_nothing() -> Result<()> {
    let mut siege = Siege::begin("hostile-table").await?;
    let count = "SELECT count(*) FROM projection.facility";
    let facilities: i64 = siege.store.query_one(count, &[]).await?.get(0);
    let records = siege.log().await?.len();
    let good = "code,name\n1319999031,いち\n";
    let tables: Vec<(&str, Vec<u8>, &[&str])> = vec![
        (
            "a code that is too short",
            format!("{good}131999904,に\n1319999058,さん\n").into_bytes(),
            &["row 3", "`code`"],
        ),
        ("no name", format!("{good}1319999049,\n").into_bytes(), &["row 3", "`name`"]),
        ("three mistakes", format!("{good}x,に\n,さん\n1319999066,\n").into_bytes(), &["row 3", "row 4", "row 5"]),
        ("too few fields", format!("{good}1319999049\n").into_bytes(), &["row 3"]),
        ("a code twice", format!("{good}1319999031,また\n").into_bytes(), &["row 3", "row 2"]),
        ("an open quote", format!("{good}1319999049,\"に\n1319999058,さん\n").into_bytes(), &["row 3"]),
        ("a control character", format!("{good}1319999049,に\u{7}\n").into_bytes(), &["row 3", "`name`"]),
        ("no header", b"1319999031,a\n".to_vec(), &["row 1", "code"]),
        ("nothing", Vec::new(), &["code"]),
        ("no text", vec![0xFF, 0xFE, 0x81, 0x00, 0xFD], &["UTF-8"]),
        ("a spreadsheet", b"PK\x03\x04\x14\x00\x08\x08\x08\x00\xff\xff\x81".to_vec(), &["nothing was imported"]),
    ];
    for (what, bytes, needles) in tables {
        let file = siege.world.folder().join("broken.csv");
        std::fs::write(&file, bytes)?;
        let output = siege.server.try_run(&["facility", "import", &file.to_string_lossy()]).await?;
        refused(&output, needles).with_context(|| what.to_owned())?;
    }
    siege.holds().await?;
    let now: i64 = siege.store.query_one(count, &[]).await?.get(0);
    ensure!(now == facilities, "{now} facilities instead of {facilities}");
    let registered = siege.log().await?;
    let registered = registered.iter().skip(records).filter(|record| format!("{record:?}").contains("Registered"));
    ensure!(registered.count() == 0, "something was registered");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_statement_is_rejected_and_blocks_no_facility() -> Result<()> {
    let mut siege = Siege::begin("hostile-statements").await?;
    let before = siege.log().await?.len();
    let long = "長".repeat(2_001);
    let record = ["intent", "set", "--intent", "do_not_want", "--facility", VICTIM];
    let statements: Vec<(&str, Vec<&str>)> = vec![
        ("a reason of two lines", [&record[..], &["--by", "x", "--why", "一\n二"]].concat()),
        ("nobody", [&record[..], &["--by", "", "--why", "y"]].concat()),
        ("a reason without end", [&record[..], &["--by", "x", "--why", &long]].concat()),
        ("a bell", [&record[..], &["--by", "x\u{7}", "--why", "y"]].concat()),
        (
            "an instant of another age",
            vec!["call", "record", "--sure", "--facility", VICTIM, "--by", "x", "--at", "1868-01-25T00:00:00+09:00"],
        ),
        (
            "a reference of two lines",
            vec!["call", "record", "--sure", "--facility", VICTIM, "--by", "x", "--reference", "1\n2"],
        ),
        (
            "a model that is no word",
            vec![
                "face-reader",
                "set",
                "--facility",
                VICTIM,
                "--by",
                "x",
                "--model",
                "Canon Hi-CARA",
                "--phone-native",
                "yes",
            ],
        ),
        ("an unknown facility", vec!["read", "record", "--os", "ios", "--facility", "1319999990", "--by", "x"]),
        ("a facility that is no code", vec!["read", "record", "--os", "ios", "--facility", "' OR 1=1", "--by", "x"]),
        (
            "an instant that is none",
            vec!["read", "record", "--os", "ios", "--facility", VICTIM, "--by", "x", "--at", "yesterday"],
        ),
        (
            "a reader that is none",
            vec![
                "reader-role",
                "set",
                "--facility",
                VICTIM,
                "--by",
                "x",
                "--terminal",
                "1",
                "--reader",
                "zz",
                "--role",
                "phone",
            ],
        ),
    ];
    for (what, arguments) in statements {
        let output = siege.server.try_run(&arguments).await?;
        refused(&output, &[]).with_context(|| what.to_owned())?;
    }
    ensure!(siege.log().await?.len() == before, "something entered the log");
    // The facility is unaffected.
    siege.server.run(&[&record[..], &["--by", "鈴木", "--why", "人手が足りない"]].concat()).await?;
    wait::until("the statement to be shown", PATIENCE, async || {
        let facility = siege.server.facility(VICTIM).await?.to_string();
        ensure!(facility.contains("do_not_want"), "{facility}");
        Ok(())
    })
    .await?;
    ensure!(siege.parked().await? == 0);
    siege.holds().await
}
