//! PostgreSQL over TLS: every connection is encrypted, and a database that can't show the right certificate gets nothing.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use data_encoding::BASE64;
use tokio_postgres::Client;
use yomitori_tests::hostile::credential::{Credential, Signer, Wish};
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";
/// The user of the server; it may not connect in clear.
const USER: &str = "encrypted_only";

fn pem(kind: &str, der: &[u8]) -> String {
    let lines: Vec<String> =
        BASE64.encode(der).as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into()).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

/// Writes a file that only PostgreSQL's user can read.
fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    std::fs::write(&path, text).with_context(|| format!("write `{}`", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let owner = std::fs::metadata(folder)?;
    chown(&path, Some(owner.uid()), Some(owner.gid())).context("give the file to PostgreSQL's user")
}

/// Lets PostgreSQL show this certificate from now on.
async fn shows(client: &Client, folder: &Path, credential: &Credential) -> Result<()> {
    write(folder, "server.crt", &credential.chain.iter().map(|one| pem("CERTIFICATE", one)).collect::<String>())?;
    write(folder, "server.key", &pem("PRIVATE KEY", credential.key.secret_der()))?;
    client.batch_execute("ALTER SYSTEM SET ssl = on").await?;
    client.query("SELECT pg_reload_conf()", &[]).await?;
    wait::until("PostgreSQL to have TLS", PATIENCE, async || {
        let on: String = client.query_one("SHOW ssl", &[]).await?.get(0);
        ensure!(on == "on", "ssl is {on}");
        Ok(())
    })
    .await
}

/// The address of the world's database for the server's user.
async fn address(world: &World, client: &Client, folder: &Path) -> Result<String> {
    client.batch_execute(&format!("CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD 'x'")).await?;
    let rules = std::fs::read_to_string(folder.join("pg_hba.conf"))?;
    write(folder, "pg_hba.conf", &format!("hostnossl all {USER} all reject\n{rules}"))?;
    let (_, place) = world.database.rsplit_once('@').context("a host in the URL")?;
    Ok(format!("postgres://{USER}:x@{place}"))
}

async fn check(server: &Server) -> Result<(bool, String)> {
    let output = server.try_run(&["check"]).await?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_to_the_database_is_encrypted_and_verified() -> Result<()> {
    let mut world = World::with_own_services("database-tls").await?;
    let client = world.store().await?;
    let folder = PathBuf::from(client.query_one("SHOW data_directory", &[]).await?.get::<_, String>(0));
    let (ours, foreign) = (Signer::foreign()?, Signer::foreign()?);
    world.database = address(&world, &client, &folder).await?;
    shows(&client, &folder, &ours.sign(&Wish::server())?).await?;
    let [trusted, other] = [("trusted.pem", &ours), ("other.pem", &foreign)].map(|(name, signer)| {
        let path = world.folder().join(name);
        std::fs::write(&path, pem("CERTIFICATE", &signer.certificate)).map(|()| path)
    });
    let configured = |ca_file: Option<&Path>| -> Result<Server> {
        let server = Server::configure(&world, Plan::default())?;
        if let Some(ca_file) = ca_file {
            let text = std::fs::read_to_string(server.config())?;
            let text = text.replace("[database]\n", &format!("[database]\nca_file = {ca_file:?}\n"));
            std::fs::write(server.config(), text)?;
        }
        Ok(server)
    };

    // In clear, and with another authority, nothing is sent.
    let (_, said) = check(&configured(None)?).await?;
    ensure!(said.contains("NG"), "{said}");
    let (_, said) = check(&configured(Some(&other?))?).await?;
    ensure!(said.contains("NG") && said.contains("certificate"), "{said}");

    let trusted = trusted?;
    let mut server = configured(Some(&trusted))?;
    server.run(&["migrate"]).await?;
    server.serve().await?;
    server.import(&format!("code,name,prefecture\n{CODE},ひとこと医院,東京都\n")).await?;
    let agent = Agent::start(&world, &server, CODE, AgentPlan::default()).await?;
    wait::until("the terminal to be shown", PATIENCE, async || {
        let connected: i64 = client.query_one("SELECT count(*) FROM projection.connection", &[]).await?.get(0);
        ensure!(connected == 1, "{}", agent.log());
        Ok(())
    })
    .await?;
    let query = "SELECT count(*), count(*) FILTER (WHERE ssl AND version = 'TLSv1.3') \
                 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = $1";
    let row = client.query_one(query, &[&USER]).await?;
    let (all, encrypted): (i64, i64) = (row.get(0), row.get(1));
    ensure!(all > 3 && all == encrypted, "{encrypted} of {all} connections are encrypted");
    let (good, said) = check(&server).await?;
    ensure!(good && !said.contains("in clear"), "{said}");

    // A certificate for another name.
    let mut elsewhere = Wish::server();
    elsewhere.names = vec!["db.example.jp".to_owned()];
    shows(&client, &folder, &ours.sign(&elsewhere)?).await?;
    let (good, said) = check(&configured(Some(&trusted))?).await?;
    ensure!(!good && said.contains("not valid for name"), "{said}");
    Ok(())
}
